"""What an opaque signature wraps: the mail inside of application/pkcs7-mime with signed data (RFC 8551, RFC 5652).

Nothing is verified: the text is as trustworthy as without the signature.
"""

from __future__ import annotations

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")


def inside(data: bytes) -> bytes:
    """The signed octets; b"" when there are none to be read."""
    if not data.startswith(b"\x30") or _SIGNED_DATA not in data[:64]:
        return b""
    pos = data.find(_DATA, 0, 400)
    if pos < 0:
        return b""
    # [0] EXPLICIT OCTET STRING follows the type of the content.
    try:
        pos, _, _ = _header(data, pos + len(_DATA), 0xA0)
        pos, length, whole = _header(data, pos, 0x04, 0x24)
        if whole:
            return data[pos : pos + length]
        # A string in pieces, as programs write it that do not know its length before.
        pieces: list[bytes] = []
        end = pos + length if length else len(data)
        while pos < end and data[pos] == 0x04:
            pos, length, _ = _header(data, pos, 0x04)
            pieces.append(data[pos : pos + length])
            pos += length
        return b"".join(pieces)
    except (IndexError, ValueError):
        return b""


def _header(data: bytes, pos: int, *tags: int) -> tuple[int, int, bool]:
    """Where the value begins, its length (0: until its end mark), and whether it is in one piece."""
    tag = data[pos]
    if tag not in tags:
        raise ValueError(tag)
    length = data[pos + 1]
    pos += 2
    if length == 0x80:
        return pos, 0, False
    if length > 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[pos : pos + count], "big")
        pos += count
    return pos, length, not tag & 0x20
