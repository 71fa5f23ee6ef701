"""Tokens that let a caller in, from a file or the environment: other users of the machine see command lines."""

import os
from collections.abc import Mapping
from pathlib import Path

from panecho_client._exceptions import RequestError
from panecho_client._files.whole_files import accessing

AUTHORIZATION = "Authorization"


def with_token(headers: Mapping[str, str], file: Path | None, variable: str) -> dict[str, str]:
    """Return headers with ``Authorization: Bearer TOKEN``; a header of that name that is given stays.

    Args:
        headers: Headers given.
        file: File that holds the token.
        variable: Environment variable that holds it where there is no file.

    Raises:
        FilesError: The file cannot be read.
        RequestError: It is empty, or holds more than one token. The text does not show it.
    """
    if AUTHORIZATION.lower() in map(str.lower, headers):
        return dict(headers)
    if file is not None:
        with accessing(file, "read", "name another file"):
            token, place = file.read_bytes().decode(errors="replace").strip(), str(file)
    else:
        token, place = os.environ.get(variable, "").strip(), variable
        if not token:
            return dict(headers)
    if len(token.split()) != 1 or not (token.isascii() and token.isprintable()):
        raise RequestError(f"{place} does not hold one token; it should hold that alone, in one line.")
    return {**headers, AUTHORIZATION: f"Bearer {token}"}
