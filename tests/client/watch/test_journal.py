"""What ``panecho watch`` remembers."""

from pathlib import Path

import pytest

from panecho_client import FilesError, ServerError
from panecho_client._watch.journal import JOURNAL, Journal


def keys(journal: Journal) -> list[str]:
    return [study.key for study in journal.due()]


def test_news_are_remembered_with_the_cursor(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.cursor("orthanc") == ""
        journal.note_news("orthanc", "7", ["a", "b", "a"])
    with Journal(tmp_path) as journal:
        assert (journal.cursor("orthanc"), journal.cursor("other")) == ("7", "")
        assert keys(journal) == ["a", "b"]
    assert (tmp_path / JOURNAL).stat().st_mode & 0o777 == 0o600


def test_a_study_comes_back_when_it_changes(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.note_news("orthanc", "1", ["a"])
        journal.finish("a", "digest")
        assert keys(journal) == []
        journal.note_news("orthanc", "2", ["a"])
        (study,) = journal.due()
        assert study.content == "digest"
        journal.forget("a")
        assert keys(journal) == []


def test_failures_are_listed_until_the_study_is_done(tmp_path: Path) -> None:
    error = ServerError("it broke.")
    with Journal(tmp_path) as journal:
        journal.note_news("orthanc", "1", ["a", "b"])
        journal.postpone("a", -1, failed=("study-1", error))
        assert [(study.key, study.attempts) for study in journal.due()] == [("b", 0), ("a", 1)]
        assert journal.count_untried() == 1
        journal.fail("b", "study-0", error)
        assert [(failure.study, failure.code, failure.reason) for failure in journal.failures()] == [
            ("study-0", "INTERNAL", "it broke."),
            ("study-1", "INTERNAL", "it broke."),
        ]
        assert (journal.count("waiting"), journal.count("failed")) == (1, 1)
        journal.retry_failed()
        assert sorted(keys(journal)) == ["a", "b"]
        journal.finish("a", "digest")
        journal.finish("b", "digest")
        assert journal.failures() == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(FilesError, match="end the other panecho watch of this folder"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(FilesError, match=r"watch\.sqlite cannot be used"):
        Journal(tmp_path)
