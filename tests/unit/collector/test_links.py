"""Links: every form of them, and one sentence for what is none."""

from __future__ import annotations

import pytest

from collector.links import HttpLink, Link, MbusLink, ModbusLink, MqttLink, SerialPort, TcpPort, parse_link
from core.errors import BadInput

GATEWAY = TcpPort("10.0.0.2", 4196)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("modbus-tcp://10.0.0.2/7", ModbusLink(TcpPort("10.0.0.2", 502), rtu=False, unit=7)),
        ("modbus-tcp://Roof.lan:1502/255", ModbusLink(TcpPort("roof.lan", 1502), rtu=False, unit=255)),
        ("modbus-tcp://[fd00::2]:502/1", ModbusLink(TcpPort("fd00::2", 502), rtu=False, unit=1)),
        ("rtu-over-tcp://10.0.0.2:4196/3", ModbusLink(GATEWAY, rtu=True, unit=3)),
        ("modbus-rtu:/dev/ttyUSB0#1", ModbusLink(SerialPort("/dev/ttyUSB0", 9600, "N", 1), rtu=True, unit=1)),
        (
            "modbus-rtu:/dev/serial/by-id/usb-x-if00?baud=19200&parity=E&stop=2#247",
            ModbusLink(SerialPort("/dev/serial/by-id/usb-x-if00", 19200, "E", 2), rtu=True, unit=247),
        ),
        ("mbus-tcp://10.0.0.2:4196/250", MbusLink(GATEWAY, 250)),
        ("mbus-tcp://10.0.0.2:4196/12345678ffffffff", MbusLink(GATEWAY, "12345678FFFFFFFF")),
        ("mbus-serial:/dev/ttyUSB1#5", MbusLink(SerialPort("/dev/ttyUSB1", 2400, "E", 1), 5)),
        ("mbus-serial:/dev/ttyUSB1?baud=300#0", MbusLink(SerialPort("/dev/ttyUSB1", 300, "E", 1), 0)),
        ("http://10.0.0.2", HttpLink(TcpPort("10.0.0.2", 80), "http://10.0.0.2", None)),
        ("http://10.0.0.2:4321/x/?secret=kg-1", HttpLink(TcpPort("10.0.0.2", 4321), "http://10.0.0.2:4321/x", "kg-1")),
        ("https://heater.lan/", HttpLink(TcpPort("heater.lan", 443), "https://heater.lan", None)),
        ("mqtt:/flats/A01/", MqttLink("flats/A01")),
    ],
)
def test_a_link_is_read(text: str, link: Link) -> None:
    assert parse_link(text) == link


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("coap://10.0.0.2/1", "it must start with one of modbus-tcp:, rtu-over-tcp:"),
        ("10.0.0.2", "it must start with one of"),
        ("modbus-tcp://10.0.0.2:502/256", "write modbus-tcp://host:port/unit, like"),
        ("modbus-tcp://10.0.0.2:99999/1", "write modbus-tcp://"),
        ("modbus-tcp://10.0.0.2:502/1?baud=9600", "write modbus-tcp://"),
        ("modbus-tcp://10.0.0.2:502/¹", "write modbus-tcp://"),
        ("rtu-over-tcp://10.0.0.2/1", "write rtu-over-tcp://host:port/unit"),
        ("rtu-over-tcp://10.0.0.2:4196/0", "write rtu-over-tcp://"),
        ("modbus-rtu:/dev/ttyUSB0", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?baud=9601#1", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?baud=x#1", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?parity=even#1", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?stop=3#1", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?speed=9600#1", "write modbus-rtu:port"),
        ("modbus-rtu:/dev/ttyUSB0?baud#1", "write modbus-rtu:port"),
        ("modbus-rtu://host/dev/ttyUSB0#1", "write modbus-rtu:port"),
        ("modbus-rtu:ttyUSB0#1", "write modbus-rtu:port"),
        ("mbus-tcp://10.0.0.2:4196/251", "write mbus-tcp://host:port/address"),
        ("mbus-tcp://10.0.0.2:4196/1234567890", "write mbus-tcp://"),
        ("mbus-serial:/dev/ttyUSB1", "write mbus-serial:port"),
        ("http:///prefix", "write http://host:port/prefix"),
        ("http://10.0.0.2/?secret=../../etc/passwd", "write http://"),
        ("http://10.0.0.2/?key=5", "write http://"),
        ("https://10.0.0.2/#top", "write https://"),
        ("mqtt:a/+/b", "a topic without + and #"),
    ],
)
def test_what_is_no_link_is_one_sentence_with_an_example(text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_link(text)
    assert str(caught.value).startswith(f"'{text}' is not a link")
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("text", ["http://us:hush@10.0.0.2/x", "https://hush@10.0.0.2"])
def test_a_password_in_a_link_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput, match="holds no user and password") as caught:
        parse_link(text)
    assert "hush" not in str(caught.value)
