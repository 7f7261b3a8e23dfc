"""Several collectors share the messages of one community."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from collector.collector import Collector, Share
from collector.service import leave
from collector.sources.broker import Broker as Address
from collector.spool import Spool
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.errors import BadInput, Unavailable
from tests.support import mqttload
from tests.support.broker import Broker
from tests.support.loaded import COMMUNITY, METERS, collecting, expected, publish, stored, until
from tests.support.mqttload import Load

ROOT = Path(__file__).parents[2]
SERVICE = (
    "import sys; from pathlib import Path; from collector.collector import Share; from collector.service import run;"
    " run(*sys.argv[1:4], data_dir=Path(sys.argv[5]), share=Share(sys.argv[4]))"
)


@contextmanager
def member(database_url: str, broker: Broker, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A collector that shares, as a process of its own."""
    arguments = [database_url, broker.url, "bench", name, str(broker.folder / "data")]
    process = subprocess.Popen([sys.executable, "-c", SERVICE, *arguments], cwd=ROOT)
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


def test_two_collectors_share_and_one_that_is_killed_and_comes_back_loses_nothing(database_url, quick_broker):
    with connect(database_url) as connection:
        config.apply(connection, parse(COMMUNITY), datetime(2026, 1, 1, tzinfo=UTC), "tests")
    load = Load(6000, METERS, rate=1500)
    with states(quick_broker) as said, member(database_url, quick_broker, "west") as west:
        with member(database_url, quick_broker, "east") as east:
            until(lambda: both_online(said))
            publishing = threading.Thread(target=publish, args=(load, quick_broker))
            publishing.start()
            time.sleep(1)
            east.kill()
            until(lambda: said["wijkenergie/bench/status/east"] == "offline")
            publishing.join()
        time.sleep(1)
        parked = load.messages - len(stored(database_url))
        assert 0 < parked < load.messages, "the one that was killed keeps its share waiting at the broker"
        with member(database_url, quick_broker, "east"):
            until(lambda: both_online(said))
            until(lambda: len(stored(database_url)) == load.messages)
            west.terminate()
            assert west.wait(10) == 0
    assert stored(database_url) == expected(load)


def test_each_message_goes_to_one_of_the_members(database_url, quick_broker):
    load = Load(400, METERS)
    came: Counter[str] = Counter()
    with (
        collecting(database_url, quick_broker, "east") as east,
        collecting(database_url, quick_broker, "west") as west,
    ):
        for one in (east, west):
            put, name = one.writer.put, one._share.name  # type: ignore[union-attr]  # both share
            one._mqtt[0]._writer = SimpleNamespace(  # type: ignore[assignment]  # counts, and passes on
                put=lambda delivery, put=put, name=name: (came.update([name]), put(delivery))[1]
            )
        publish(load, quick_broker)
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


def test_a_member_that_leaves_for_good_takes_what_waits_and_is_forgotten(database_url, quick_broker):
    with connect(database_url) as connection:
        config.apply(connection, parse(COMMUNITY), datetime(2026, 1, 1, tzinfo=UTC), "tests")
    parked, all_of_them = Load(100, METERS), Load(100_000, METERS)
    with collecting(database_url, quick_broker, "east"), collecting(database_url, quick_broker, "west"):
        pass
    publish(parked, quick_broker)  # half of them with each
    gone = threading.Event()
    published: list[int] = []

    def go_on() -> None:
        with mqttload.connected(quick_broker.host, quick_broker.port, "device") as line:
            for index in range(parked.messages, all_of_them.messages):
                if gone.is_set():
                    return
                line.sendall(all_of_them.packet(index))
                assert line.recv(4)
                published.append(index)
                time.sleep(0.01)

    publishing = threading.Thread(target=go_on)
    publishing.start()
    place = (Address.parse(quick_broker.url), "bench", Share("east"), quick_broker.folder / "data")
    leaving = threading.Thread(target=leave, args=(database_url, *place), daemon=True)
    leaving.start()
    leaving.join(20)
    assert not leaving.is_alive(), "there is always something new"
    gone.set()
    publishing.join()
    assert 0 < len(stored(database_url)) < parked.messages + len(published)
    with states(quick_broker) as said:
        until(lambda: said == {"wijkenergie/bench/status/west": "offline"})
    assert not known_to_the_broker(quick_broker, "wijkenergie-bench:east")
    with collecting(database_url, quick_broker, "west"):
        until(lambda: len(stored(database_url)) == parked.messages + len(published))


def test_sharing_needs_a_broker_that_can_and_a_name_that_is_one(database_url, tmp_path):
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
        with closing(Spool(tmp_path, 10**6)) as spool:
            collector = Collector(parse(COMMUNITY).community, database_url, url, spool, share=Share("east"))
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
