"""The MQTT source against real brokers: what is kept of a broken line, how it comes in, and how many may share."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from collector.service import Collector, Share, leave
from collector.sources import mqtt as source
from collector.sources.broker import Broker as Address
from collector.sources.tls import Tls
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.errors import BadInput, Unavailable
from tests.support import mqttload
from tests.support.broker import Broker, find_mosquitto
from tests.support.mqttload import Load

ROOT = Path(__file__).parents[2]
METERS = 5
COMMUNITY = f"""
community: bench
name: Bench
timezone: Europe/Amsterdam
owner: owner
flats: [{{id: A01, floor_area_m2: "50"}}]
households: [{{id: h-001, flat: A01, from: 2015-01-01}}]
meters:
{chr(10).join(f"  - {{id: m-{meter:02d}, measures: electricity, flat: A01, unit: kWh}}" for meter in range(METERS))}
sharing: [{{from: 2015-01-01, key: proportional}}]
tariffs: [{{from: 2015-01-01, solar_eur_per_kwh: "0.18", vat_percent: {{electricity: "21"}}}}]
"""
SERVICE = "import sys; from collector.service import Share, run; run(*sys.argv[1:4], share=Share(sys.argv[4]))"


@contextmanager
def collecting(database_url: str, broker: Broker | Address, share: str | None = None) -> Iterator[Collector]:
    address = broker.url if isinstance(broker, Broker) else broker
    member = None if share is None else Share(share)
    collector = Collector(parse(COMMUNITY).community, database_url, address, share=member)
    collector.start()
    try:
        assert collector.wait_connected(10)
        yield collector
    finally:
        collector.stop()


def stored(database_url: str) -> list[tuple[str, str, str]]:
    with connect(database_url) as connection:
        rows = connection.execute("SELECT meter, time, value FROM reading").fetchall()
    return sorted((meter, time.astimezone(UTC).isoformat(), f"{value:f}") for meter, time, value in rows)


def expected(load: Load) -> list[tuple[str, str, str]]:
    found = []
    for index in range(load.messages):
        second = index // load.meters
        at = datetime.fromisoformat(mqttload.time_text(second)).isoformat()
        found.append((load.topic(index).rpartition("/")[2], at, f"{1000 + second}.125"))
    return sorted(found)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def publish(load: Load, broker: Broker) -> None:
    assert mqttload.publish(load, broker.host, broker.port)["acknowledged"] == load.messages


# ---- how much is in hand, and what a broken line costs


def test_no_more_is_in_hand_than_the_window_and_the_line_holds_while_nothing_is_read(
    database_url, broker, monkeypatch, capfd
):
    monkeypatch.setattr(source, "WINDOW", 40)
    monkeypatch.setattr(source, "KEEP_ALIVE_SECONDS", 1)
    load = Load(3000, METERS)
    most = 0
    with collecting(database_url, broker) as collector, connect(database_url) as blocker:
        (line,) = collector._mqtt
        blocker.execute("BEGIN; LOCK TABLE reading IN SHARE MODE")  # nobody can store until this ends
        publish(load, broker)
        until(lambda: len(line._pending) == 40)
        deadline = time.monotonic() + 4  # four times the keep-alive
        while time.monotonic() < deadline:
            most = max(most, len(line._pending))
            time.sleep(0.01)
        blocker.execute("ROLLBACK")
        until(lambda: len(stored(database_url)) == load.messages)
        until(lambda: len(line._pending) == 0)
    assert most == 40
    assert stored(database_url) == expected(load)
    assert "connection lost" not in capfd.readouterr().out


@pytest.fixture
def quick(tmp_path: Path, broker: Broker) -> Iterator[Broker]:
    """A broker that does not write every change to the disk, and so has read what it was told when we look again."""
    folder = tmp_path / "quick"
    folder.mkdir()
    server = Broker(folder, "allow_anonymous true\nmax_queued_messages 100000\n")
    server.start()
    yield server
    server.stop()


def test_the_broker_keeps_nothing_of_what_was_stored(database_url, quick):
    broker = quick
    load = Load(500, METERS)
    with collecting(database_url, broker):
        publish(load, broker)
        until(lambda: len(stored(database_url)) == load.messages)
    with connect(database_url) as connection:
        connection.execute("TRUNCATE reading")
    with collecting(database_url, broker):
        time.sleep(1)
    assert stored(database_url) == []


def test_a_session_of_mqtt_3_is_kept_and_acknowledged_as_well(database_url, quick, monkeypatch):
    monkeypatch.setattr(Address, "version", lambda _: MQTTProtocolVersion.MQTTv311)
    load = Load(300, METERS)
    with collecting(database_url, quick):
        pass
    publish(load, quick)
    for _ in range(2):
        with collecting(database_url, quick) as collector:
            until(lambda: len(stored(database_url)) == load.messages)
            until(lambda: len(collector._mqtt[0]._pending) == 0)
    with connect(database_url) as connection:
        connection.execute("TRUNCATE reading")
    with collecting(database_url, quick):
        time.sleep(1)
    assert stored(database_url) == []


def test_a_line_that_breaks_in_the_middle_of_a_batch_costs_nothing(database_url, broker):
    load = Load(4000, METERS, rate=2000)
    with collecting(database_url, broker) as collector:
        publishing = threading.Thread(target=publish, args=(load, broker))
        publishing.start()
        (line,) = collector._mqtt
        for _ in range(4):
            time.sleep(0.3)
            assert line.connected.wait(10)
            sock = line._client.socket()
            if sock is not None:
                sock._line.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # as the network would
            until(lambda: not line.connected.is_set())
        publishing.join()
        until(lambda: len(stored(database_url)) == load.messages)
    assert stored(database_url) == expected(load)


def test_a_broker_that_is_restarted_under_load_loses_nothing_it_acknowledged(database_url, broker):
    load = Load(2500, METERS)
    sent = 0
    with collecting(database_url, broker) as collector:
        for _ in range(2):
            taken: list[int] = []
            publishing = threading.Thread(target=lambda at=sent, into=taken: into.append(until_cut(load, broker, at)))
            publishing.start()
            time.sleep(0.3)
            broker.stop()
            publishing.join()
            broker.start()
            sent += taken[0]
            assert 0 < sent < load.messages, "the broker was to be stopped in the middle"
        assert collector.wait_connected(30)
        assert sent + until_cut(load, broker, sent) == load.messages
        until(lambda: len(stored(database_url)) == load.messages)
    assert stored(database_url) == expected(load)


def until_cut(load: Load, broker: Broker, first: int) -> int:
    """Publish from a message on until the end or until the line is cut; how many the broker acknowledged."""
    acknowledged = 0
    with mqttload._connected(broker.host, broker.port, "mqttload") as line:
        try:
            for index in range(first, load.messages):
                line.sendall(load.packet(index))
                answer = b""
                while len(answer) < 4:
                    part = line.recv(4 - len(answer))
                    if not part:
                        return acknowledged
                    answer += part
                acknowledged += 1
        except OSError:
            return acknowledged
    return acknowledged


# ---- coming in: TLS, passwords, versions


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


# ---- several collectors


@contextmanager
def member(database_url: str, broker: Broker, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A collector that shares, as a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", SERVICE, database_url, broker.url, "bench", name], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def states(broker: Broker) -> Iterator[dict[str, str]]:
    """Follow what the collectors say about themselves."""
    said: dict[str, str] = {}
    client = Address.parse(broker.url).client("watch", MQTTProtocolVersion.MQTTv311)
    client.on_message = lambda _c, _d, message: said.update({message.topic: json.loads(message.payload)["state"]})
    client.connect(broker.host, broker.port)
    client.subscribe("wijkenergie/bench/status/#", qos=1)
    client.loop_start()
    try:
        yield said
    finally:
        client.disconnect()
        client.loop_stop()


def both_online(said: dict[str, str]) -> bool:
    return said == {f"wijkenergie/bench/status/{name}": "online" for name in ("east", "west")}


def test_two_collectors_share_and_one_that_is_killed_and_comes_back_loses_nothing(database_url, broker):
    with connect(database_url) as connection:
        config.apply(connection, parse(COMMUNITY), datetime(2026, 1, 1, tzinfo=UTC), "tests")
    load = Load(6000, METERS, rate=1500)
    with states(broker) as said, member(database_url, broker, "west") as west:
        with member(database_url, broker, "east") as east:
            until(lambda: both_online(said))
            publishing = threading.Thread(target=publish, args=(load, broker))
            publishing.start()
            time.sleep(1)
            east.kill()
            until(lambda: said["wijkenergie/bench/status/east"] == "offline")
            publishing.join()
        time.sleep(1)
        parked = load.messages - len(stored(database_url))
        assert 0 < parked < load.messages, "the one that was killed keeps its share waiting at the broker"
        with member(database_url, broker, "east"):
            until(lambda: both_online(said))
            until(lambda: len(stored(database_url)) == load.messages)
            west.terminate()
            assert west.wait(10) == 0
    assert stored(database_url) == expected(load)


def test_each_message_goes_to_one_of_the_members(database_url, broker):
    load = Load(400, METERS)
    came: Counter[str] = Counter()
    with (
        collecting(database_url, broker, "east") as east,
        collecting(database_url, broker, "west") as west,
    ):
        for one in (east, west):
            put, name = one.writer.put, one._share.name  # type: ignore[union-attr]  # both share
            one._mqtt[0]._writer = SimpleNamespace(  # type: ignore[assignment]  # counts, and passes on
                put=lambda delivery, put=put, name=name: (came.update([name]), put(delivery))[1]
            )
        publish(load, broker)
        until(lambda: len(stored(database_url)) == load.messages)
    assert came.total() == load.messages
    assert set(came) == {"east", "west"}


def known_to_the_broker(broker: Broker, session: str) -> bool:
    """Whether the broker keeps a session under this name."""
    answers: list[bool] = []
    client = Address.parse(broker.url).client(session, MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda _c, _d, flags, _r, _p: answers.append(flags.session_present)
    client.connect(broker.host, broker.port, clean_start=False)
    client.loop_start()
    until(lambda: answers)
    client.disconnect()
    client.loop_stop()
    return answers[0]


def test_a_member_that_leaves_for_good_takes_what_waits_and_is_forgotten(database_url, quick):
    with connect(database_url) as connection:
        config.apply(connection, parse(COMMUNITY), datetime(2026, 1, 1, tzinfo=UTC), "tests")
    parked, all_of_them = Load(100, METERS), Load(100_000, METERS)
    with collecting(database_url, quick, "east"), collecting(database_url, quick, "west"):
        pass
    publish(parked, quick)  # half of them with each
    gone = threading.Event()
    published: list[int] = []

    def go_on() -> None:
        with mqttload._connected(quick.host, quick.port, "device") as line:
            for index in range(parked.messages, all_of_them.messages):
                if gone.is_set():
                    return
                line.sendall(all_of_them.packet(index))
                assert line.recv(4)
                published.append(index)
                time.sleep(0.01)

    publishing = threading.Thread(target=go_on)
    publishing.start()
    leaving = threading.Thread(
        target=leave, args=(database_url, Address.parse(quick.url), "bench", Share("east")), daemon=True
    )
    leaving.start()
    leaving.join(20)
    assert not leaving.is_alive(), "there is always something new"
    gone.set()
    publishing.join()
    assert 0 < len(stored(database_url)) < parked.messages + len(published)
    with states(quick) as said:
        until(lambda: said == {"wijkenergie/bench/status/west": "offline"})
    assert not known_to_the_broker(quick, "wijkenergie-bench:east")
    with collecting(database_url, quick, "west"):
        until(lambda: len(stored(database_url)) == parked.messages + len(published))


def test_sharing_needs_a_broker_that_can_and_a_name_that_is_one(database_url):
    for name in ("", "East", "a b", "x" * 21, "#"):
        with pytest.raises(BadInput, match="cannot name a collector"):
            Share(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def old() -> None:
            for content in (b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x00"):
                with server.accept()[0] as line:
                    line.recv(1000)
                    line.sendall(content)
                    line.recv(1000)

        threading.Thread(target=old, daemon=True).start()
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        collector = Collector(parse(COMMUNITY).community, database_url, url, share=Share("east"))
        with pytest.raises(Unavailable, match=r"speaks no MQTT 5, which sharing messages needs\.$"):
            collector.start()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--polls"], "--polls goes with --share; a collector that is alone polls anyhow."),
        (["--share", "East"], "'East' cannot name a collector; use up to 20 small letters, digits and hyphens."),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_done(arguments, told):
    command = [sys.executable, "-m", "wijkenergie", "collect", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", told)
