"""Packages that only some outputs need; each is imported where it is used."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from panecho_client._exceptions import RequestError

__all__ = ["needs_reports_extra", "quiet_pydicom"]

_QUIET = threading.RLock()


@contextmanager
def needs_reports_extra() -> Iterator[None]:
    """Name the extra to install when an import in the block fails.

    Raises:
        RequestError: A package of the extra ``reports`` is missing.
    """
    try:
        yield
    except ImportError as error:
        raise RequestError(
            f"this output needs the reports extra; in a checkout: pip install './client[reports]' ({error})."
        ) from None


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom from writing header values, which may identify a patient, to warnings and logs.

    Both belong to the whole process: other threads are affected too, and wait here for their turn.
    """
    from pydicom.config import disable_value_validation  # noqa: PLC0415 - part of an extra

    logger = logging.getLogger("pydicom")
    with _QUIET:
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            with warnings.catch_warnings(), disable_value_validation():
                warnings.simplefilter("ignore")
                yield
        finally:
            logger.setLevel(level)
