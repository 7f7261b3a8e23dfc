"""M-Bus frames made for tests: what a meter would send, with its checksum."""

from __future__ import annotations

HEAT = 4


def record(dif: int, vif: int | bytes, data: bytes, *, storage: int = 0, tariff: int = 0, subunit: int = 0) -> bytes:
    """Bytes of one record; ``dif`` is the code of the data field, plus 0x10, 0x20 or 0x30 for the function."""
    head = [dif | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or subunit:
        head[-1] |= 0x80
        head.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    return bytes(head) + (bytes([vif]) if isinstance(vif, int) else vif) + data


def bcd(value: int, digits: int) -> bytes:
    """Decimal digits, the last two first."""
    return bytes.fromhex(f"{value:0{digits}d}")[::-1]


def frame(
    records: bytes, serial: int = 12345678, maker: str = "KAM", *, version: int = 8, medium: int = HEAT, status: int = 0
) -> bytes:
    """Wrap records into a long frame of a meter with this identification."""
    letters = [ord(letter) - 64 for letter in maker]
    code = letters[0] << 10 | letters[1] << 5 | letters[2]
    head = bcd(serial, 8) + code.to_bytes(2, "little") + bytes([version, medium, 1, status, 0, 0])
    content = b"\x08\x01\x72" + head + records
    return bytes([0x68, len(content), len(content), 0x68]) + content + bytes([sum(content) & 0xFF, 0x16])
