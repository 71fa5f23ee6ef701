"""Pseudonyms: names that stand for identifiers and do not reveal them."""

import hashlib
import hmac
from pathlib import Path

from panecho_client._exceptions import RequestError

KEY_BYTES = 16
KINDS_OF_BYTES = 4


def study_name(uid: str, *, include_identifiers: bool = False, pseudonym_key: bytes = b"") -> str:
    """Return the name that ``StudyIdentity.study`` gives to files of this Study Instance UID, before they are read."""
    return uid if include_identifiers else pseudonym(uid, kind="study", pseudonym_key=pseudonym_key)


def require_key(key: bytes, file: Path) -> None:
    """Refuse a key that can be guessed.

    Raises:
        RequestError: It holds fewer than 16 bytes, or few kinds of bytes, such as NULs.
    """
    found = key.strip()
    if len(found) < KEY_BYTES or len(set(found)) < KINDS_OF_BYTES:
        raise RequestError(
            f"{file} holds {len(found)} bytes of {len(set(found))} kinds, which can be guessed: a key of "
            f"pseudonyms needs at least {KEY_BYTES}; make one: head -c 32 /dev/urandom > {file}"
        )


def pseudonym(value: str, *, kind: str, pseudonym_key: bytes = b"") -> str:
    """Return a name that stands for ``value``: the same in every run, another for every other value.

    It is the first 64 bits of an HMAC-SHA256. Without a ``pseudonym_key`` anyone who knows a value, or can try all
    values (patient numbers are short), can compute its pseudonym and so recognise it. With a key only its holders can;
    keep it out of the outputs, and use the same one wherever pseudonyms have to agree.

    Example:
        >>> pseudonym("1.2.840.113619.2.1", kind="study")
        'study-5b58e6ded6df7b0b'
    """
    return f"{kind}-{_digest(value, kind, pseudonym_key)[:8].hex()}"


def pseudonymous_uid(value: str, *, pseudonym_key: bytes = b"") -> str:
    """Return a DICOM UID that stands for a UID, as ``pseudonym`` does; under 2.25 any 128-bit number is valid."""
    return f"2.25.{int.from_bytes(_digest(value, 'uid', pseudonym_key)[:16])}"


def _digest(value: str, kind: str, pseudonym_key: bytes) -> bytes:
    return hmac.digest(pseudonym_key, f"{kind}\0{value}".encode(), hashlib.sha256)
