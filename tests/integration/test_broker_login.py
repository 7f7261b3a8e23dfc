"""How a broker is come to: through TLS, with a password, in the version it speaks; and what is said when it is not."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from collector.sources.broker import Broker as Address
from collector.sources.tls import Tls
from core.errors import BadInput, Unavailable
from tests.support import mqttload
from tests.support.broker import Broker, find_mosquitto
from tests.support.loaded import collecting, stored, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with a password and a certificate of its own authority, which asks nobody for theirs."""
    for program in ("mosquitto_passwd", "openssl"):
        if find_mosquitto() is None or shutil.which(program) is None:
            pytest.skip(f"mosquitto or {program} is not installed (apt-get install mosquitto openssl)")
    folder = tmp_path_factory.mktemp("guarded")
    yield from encrypted(folder, "")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, guarded: Broker) -> Iterator[Broker]:
    """Another one, that wants a certificate of whoever comes."""
    yield from encrypted(tmp_path_factory.mktemp("strict"), "require_certificate true\n")


def encrypted(folder: Path, more: str) -> Iterator[Broker]:
    certificates = ROOT / "deploy" / "broker" / "certificates"
    subprocess.run([certificates, folder, "localhost"], check=True, capture_output=True)
    subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "passwords", "us@er", "pa/ss"], check=True)
    text = f"allow_anonymous false\npassword_file {folder}/passwords\ncafile {folder}/ca.crt\n"
    broker = Broker(folder, f"{text}certfile {folder}/server.crt\nkeyfile {folder}/server.key\n{more}")
    broker.start()
    yield broker
    broker.stop()


def own_certificate(broker: Broker) -> Path:
    """Make a certificate for us, with its key in the same file, signed by the broker's authority."""
    ours = broker.folder / "ours.pem"
    commands = (
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ours.key"
        " && openssl req -new -key ours.key -subj /CN=collector -out ours.csr"
        " && openssl x509 -req -in ours.csr -CA ca.crt -CAkey ca.key -days 2 -out ours.crt"
        " && cat ours.crt ours.key > ours.pem"
    )
    subprocess.run(commands, shell=True, check=True, cwd=broker.folder, capture_output=True)
    return ours


def address(broker: Broker, url: str = "mqtts://us%40er:pa%2Fss@localhost:{port}", **files: Path) -> Address:
    return Address.parse(url.format(port=broker.port), Tls(**files))


def say(broker: Address, messages: Iterable[tuple[str, bytes]]) -> None:
    """Publish as a device does, and wait until the broker has it."""
    client = broker.client("device", MQTTProtocolVersion.MQTTv311)
    client.max_queued_messages_set(0)
    client.connect(broker.host, broker.port)
    client.loop_start()
    for info in [client.publish(topic, payload, qos=1) for topic, payload in messages]:
        info.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def entry(second: int) -> bytes:
    return b'{"time": "%s", "value": "1"}' % mqttload.time_text(second).encode()


def test_readings_come_in_through_tls_with_a_password_whatever_their_size(database_url, guarded):
    broker = address(guarded, authority=guarded.folder / "ca.crt")
    large = b"[" + b", ".join(map(entry, range(1000, 2500))) + b"]"  # several records of TLS
    with collecting(database_url, broker):
        say(broker, [("wijkenergie/bench/m-00", entry(second)) for second in range(600)])
        say(broker, [("wijkenergie/bench/m-01", large), ("wijkenergie/bench/m-02", entry(7))])
        until(lambda: len(stored(database_url)) == 600 + 1500 + 1)
    assert Counter(meter for meter, _, _ in stored(database_url)) == {"m-00": 600, "m-01": 1500, "m-02": 1}


def test_a_broker_that_wants_our_certificate_gets_it(database_url, strict):
    files = {"authority": strict.folder / "ca.crt", "certificate": own_certificate(strict)}
    broker = address(strict, **files)
    with collecting(database_url, broker):
        say(broker, [("wijkenergie/bench/m-00", entry(1))])
        until(lambda: stored(database_url))
    with pytest.raises(Unavailable, match=r"^The broker at localhost:\d+ closes the connection"):
        address(strict, authority=strict.folder / "ca.crt").version()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mqtts://us%40er:wrong@localhost:{port}", "does not let us in: Not authorized. Check WIJKENERGIE_MQTT_URL."),
        ("mqtts://localhost:{port}", "does not let us in: Not authorized. Check WIJKENERGIE_MQTT_URL."),
        ("mqtts://us%40er:pa%2Fss@127.0.0.1:{port}", "shows a certificate that is not trusted (IP address mismatch"),
        ("mqtt://us%40er:pa%2Fss@localhost:{port}", "closes the connection without a word; check its log."),
    ],
)
def test_who_may_not_come_in_is_told_why_in_one_sentence(guarded, url, sentence):
    files = {"authority": guarded.folder / "ca.crt"} if url.startswith("mqtts") else {}
    with pytest.raises(Unavailable) as told:
        address(guarded, url, **files).version()
    assert str(told.value).startswith("The broker at ")
    assert sentence in str(told.value)
    assert "\n" not in str(told.value)
    assert "pa/ss" not in str(told.value)


def test_an_unknown_authority_is_not_trusted(guarded, strict):
    for files in ({}, {"authority": strict.folder / "ca.crt"}):
        with pytest.raises(Unavailable, match=r"not trusted \(.*\)\. Point WIJKENERGIE_MQTT_CA at its authority"):
            address(guarded, **files).version()


def test_a_broker_without_encryption_is_named(broker):
    with pytest.raises(Unavailable, match=r"does not come to terms about TLS\. Name its encrypted port"):
        Address.parse(f"mqtts://localhost:{broker.port}").version()


def test_files_that_do_not_fit_are_named(tmp_path, guarded):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for files, told in [
        ({"authority": tmp_path / "none.pem"}, "The file of WIJKENERGIE_MQTT_CA cannot be read: No such file"),
        ({"authority": empty}, "The file of WIJKENERGIE_MQTT_CA holds no certificate"),
        ({"certificate": empty}, "The file of WIJKENERGIE_MQTT_CERT holds no certificate"),
        ({"key": empty}, "WIJKENERGIE_MQTT_KEY is of no use without WIJKENERGIE_MQTT_CERT"),
    ]:
        with pytest.raises(BadInput, match=told):
            address(guarded, **files).version()
    with pytest.raises(BadInput, match="for an address that starts with mqtts://"):
        address(guarded, "mqtt://localhost:{port}", authority=guarded.folder / "ca.crt")


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ((b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x00"), MQTTProtocolVersion.MQTTv311),
        ((b"\x20\x02\x00\x01", b"\x20\x02\x00\x00"), MQTTProtocolVersion.MQTTv311),
        ((b"", b"\x20\x02\x00\x00"), MQTTProtocolVersion.MQTTv311),
        (
            (b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"),
            "speaks neither MQTT 5 nor MQTT 3.1.1; another one is needed.",
        ),
        ((b"\x20\x03\x00\x84\x00", b""), "speaks neither MQTT 5 nor MQTT 3.1.1; another one is needed."),
        ((b"", b""), "closes the connection without a word; check its log."),
    ],
)
def test_a_broker_that_turns_a_version_down_is_asked_for_the_older_one(answers, outcome):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for content in answers:
                with server.accept()[0] as line:
                    line.recv(1000)
                    line.sendall(content)
                    if content[3:4] == b"\0":
                        line.recv(1000)  # the goodbye

        threading.Thread(target=answer, daemon=True).start()
        broker = Address.parse(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        if isinstance(outcome, str):
            with pytest.raises(Unavailable) as told:
                broker.version()
            assert str(told.value) == f"The broker at {broker} {outcome}"
        else:
            assert broker.version() == outcome
