"""Reads the fields of a protobuf message without copying what it holds.

Only the shapes that Triton's messages have are accepted (https://protobuf.dev/programming-guides/encoding/): anything
else is an error, so that nothing is read here in another way than by ``tritonserver``.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
MAX_KEY = 2**32 - 1
"""Other readers drop the bits beyond, and so would see another field."""


class WireError(ValueError):
    """The bytes are not such a message."""


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and content of each field that has bytes for content: texts, messages and raw tensors.

    Raises:
        WireError: The bytes are not a protobuf message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0 or key > MAX_KEY or kind not in (VARINT, FIXED64, BYTES, FIXED32):
            raise WireError(f"unexpected field {number} of wire type {kind}")
        if kind == VARINT:
            _, at = _varint(message, at)
            continue
        size, at = _varint(message, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
        if at + size > len(message):
            raise WireError(f"field {number} ends after the message")
        if kind == BYTES:
            yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(message):
            break
        byte = message[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise WireError("a number is cut off or too long")
