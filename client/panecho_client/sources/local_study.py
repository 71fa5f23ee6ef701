"""A study in files of this machine."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Self

from panecho_client._identity.headers import SopInstance, read_headers, with_content
from panecho_client._identity.study_identity import StudyIdentity

__all__ = ["LocalStudy"]


class LocalStudy:
    """A study in files of this machine. Each header is read once, and kept.

    Example:
        >>> for study in group_studies(find_files("studies/").files):
        ...     result = panecho.predict_study(study.paths)
        ...     print(study.identity().study, result["EF"].value)
        study-5b0c1f3f4a2e9d10 58.3

    Args:
        paths: Files, or members of ZIP files.

    Raises:
        RequestError: From ``headers`` and ``identity``: the extra ``reports`` is not installed.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        self._read: tuple[SopInstance, ...] | None = None

    @classmethod
    def of(cls, headers: Iterable[SopInstance]) -> Self:
        """Return the study of files whose headers were read before."""
        read = tuple(headers)
        study = cls(header.path for header in read)
        study._read = read
        return study

    @property
    def headers_read(self) -> tuple[SopInstance, ...]:
        """As ``headers``, but no file is read whole."""
        if self._read is None:
            self._read = read_headers(self.paths)
        return self._read

    @cached_property
    def headers(self) -> tuple[SopInstance, ...]:
        """Identifiers in the header of each file; a file that cannot be read has its path alone.

        A file without a SOP Instance UID is named after its content: it is read whole, once, when this is first used.
        """
        return tuple(map(with_content, self.headers_read))

    def identity(self, *, include_identifiers: bool = False, pseudonym_key: bytes = b"") -> StudyIdentity:
        """Return the names of the study and its files in outputs; arguments as of ``StudyIdentity.of``."""
        return StudyIdentity.of(self.headers, include_identifiers=include_identifiers, pseudonym_key=pseudonym_key)

    def __repr__(self) -> str:
        """Return the number of files: paths may name a patient."""
        return f"LocalStudy({len(self.paths)} files)"
