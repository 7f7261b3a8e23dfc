"""Packets come out of a byte stream whole and in order, however the network divides it, and as paho would read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.sources.buffered import Cutter, variable_length
from collector.sources.client import _published
from tests.support.mqttload import encoded_length

BODIES = st.one_of(st.binary(max_size=20), st.integers(0, 20_000).map(bytes))
PACKETS = st.lists(st.tuples(st.integers(0, 255), BODIES), max_size=8)


def whole(first: int, body: bytes) -> bytes:
    return bytes([first]) + encoded_length(len(body)) + body


@given(packets=PACKETS, cuts=st.lists(st.integers(0, 200), max_size=20))
def test_packets_are_whole_and_in_order_however_they_arrive(packets, cuts):
    stream = b"".join(whole(*packet) for packet in packets)
    cutter, found, at = Cutter(), [], 0
    for size in [*cuts, len(stream)]:
        cutter.feed(stream[at : at + size])
        at += size
        while (packet := cutter.next()) is not None:
            found.append((packet.content[0], packet.content[packet.start :]))
            assert packet.content == whole(*found[-1])
    assert found == packets


@given(number=st.integers(0, 268_435_455), rest=st.binary(max_size=3))
def test_lengths_are_read_as_they_are_written(number, rest):
    encoded = encoded_length(number)
    assert variable_length(encoded + rest, 0) == (number, len(encoded))
    assert variable_length(encoded[:-1], 0) is None


def test_a_length_of_five_bytes_is_refused():
    with pytest.raises(ValueError, match="four bytes"):
        variable_length(b"\x80\x80\x80\x80\x01", 0)


class Paho(Client):
    """paho's own reading of a PUBLISH."""

    def __init__(self, version: MQTTProtocolVersion) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=version, manual_ack=True)
        self.heard: list[MQTTMessage] = []
        self.on_message = lambda _client, _data, message: self.heard.append(message)

    def read(self, content: bytes, start: int) -> MQTTMessage:
        self._in_packet["command"], self._in_packet["packet"] = content[0], bytearray(content[start:])
        self._handle_publish()
        return self.heard[-1]


@given(
    topic=st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=300),
    payload=st.binary(max_size=300),
    message_id=st.integers(0, 65535),
    flags=st.sampled_from([0x00, 0x01, 0x08, 0x09]),
    version=st.sampled_from([MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]),
    user_property=st.booleans(),
)
def test_a_message_is_read_as_paho_reads_it(topic, payload, message_id, flags, version, user_property):
    first = 0x30 | flags | (0x02 if message_id else 0)
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (message_id.to_bytes(2, "big") if message_id else b"")
    if version == MQTTProtocolVersion.MQTTv5:
        body += b"\x8a\x01\x26\x00\x01k" + b"\x00\x7f" + b"v" * 127 + b"\x02\0\0\0\x05" if user_property else b"\0"
    cutter = Cutter()
    cutter.feed(whole(first, body + payload))
    packet = cutter.next()
    assert packet is not None
    ours = _published(packet, with_properties=version == MQTTProtocolVersion.MQTTv5)
    theirs = Paho(version).read(*packet)
    assert ours == (name, payload, message_id, bool(theirs.retain), bool(theirs.dup))
    assert (theirs.topic, bytes(theirs.payload), theirs.mid) == (topic, payload, message_id)


@pytest.mark.parametrize(
    "content",
    [
        b"\x32\x01\x00",
        b"\x32\x02\x00\x05",
        b"\x32\x03\x00\x01a",
        b"\x34\x05\x00\x01a\x00\x01",
        b"\x32\x05\x00\x01a\0\0",
    ],
)
def test_a_message_that_is_cut_off_or_has_another_quality_is_refused(content):
    cutter = Cutter()
    cutter.feed(content)
    packet = cutter.next()
    assert packet is not None
    with pytest.raises(ValueError, match="cut off"):
        _published(packet, with_properties=False)
