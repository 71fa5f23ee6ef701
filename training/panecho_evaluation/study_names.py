"""What results call the studies of a table: their identifiers, or the pseudonyms that stand for them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from panecho_client import find_files
from panecho_client.outputs import pseudonym
from panecho_client.sources import LocalStudy
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.matching import Aliases
from panecho_evaluation.results import Results

__all__ = ["require_key", "study_aliases", "table_name"]


def table_name(text: str, pseudonym_key: bytes) -> str:
    """Return the pseudonym of a study that a table calls by this text; of a Study Instance UID, the usual one."""
    return pseudonym(text, kind="study", pseudonym_key=pseudonym_key)


def study_aliases(folder: Path, pseudonym_key: bytes) -> Aliases:
    """Return what results may call a study, the names that take no reading of files first.

    Args:
        folder: Folder that the table's files are relative to.
        pseudonym_key: Key of the results' pseudonyms; empty without.
    """

    def aliases(study: str, files: Sequence[str]) -> Iterator[str]:
        for text in (study, *files):
            if text:
                yield text
                yield table_name(text, pseudonym_key)
        paths = [path for path in (folder / file for file in files) if path.exists()]
        if paths:
            found = LocalStudy(find_files(paths).files)
            for identifiers in (True, False):
                yield found.identity(include_identifiers=identifiers, pseudonym_key=pseudonym_key).study

    return aliases


def require_key(runs: Mapping[str, Results], pseudonym_key: bytes) -> None:
    """Refuse a key that is not that of the results.

    Raises:
        EvaluationError: A run tells that its pseudonyms were made with another key.
    """
    digest = pseudonym("", kind="secret", pseudonym_key=pseudonym_key)
    for results in runs.values():
        recorded = results.settings.get("pseudonym_key")
        if pseudonym_key and recorded is not None and recorded != digest:
            raise EvaluationError(f"{results.path} was made with another --pseudonym-key; give that one.")
