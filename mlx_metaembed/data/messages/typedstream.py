"""The text in a typedstream, the form in which Apple's NSArchiver keeps an attributed string.

A header, then values, each after its type as a C string; an NSString is the first thing that the type "+" stands
before: a count of bytes and those bytes, UTF-8. Attributes follow and are passed over.
"""

HEADERS = {b"\x04\x0bstreamtyped": "little", b"\x04\x0btypedstream": "big"}
TYPE = b"\x84\x01+"
"""The type of raw bytes at its first mention; an attributed string begins with its text."""
WIDTHS = {0x81: 2, 0x82: 4}
"""Bytes of a count that doesn't fit into one below 0x80, by what stands before it."""


def text(stream: bytes) -> str | None:
    """The text of an NSAttributedString or NSString; None where the bytes are no such stream."""
    order = HEADERS.get(stream[:13])
    _, found, rest = stream.partition(TYPE)
    if order is None or not found or not rest:
        return None
    width = WIDTHS.get(rest[0], 0)
    size = int.from_bytes(rest[1 : 1 + width], order) if width else rest[0]
    written = rest[1 + width : 1 + width + size]
    if len(written) < size or (not width and size >= 0x80):
        return None
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError:
        return None
