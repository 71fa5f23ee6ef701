"""Tokens from files and the environment: sent as a header, never shown."""

from pathlib import Path

import pytest

from panecho_client import FilesError, RequestError
from panecho_client._commands.options import Access, StudySelection
from panecho_client._commands.tokens import with_token
from support.commands import invoke

TOKEN = "s3cret-t0ken"  # noqa: S105 - of no server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_a_token_comes_from_a_file_or_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert Access().connection("localhost", 5).headers == {}
    assert Access(token_file=file).connection("localhost", 5).headers == bearer
    monkeypatch.setenv("PANECHO_TOKEN", TOKEN)
    assert Access().connection("localhost", 5).headers == bearer
    monkeypatch.setenv("PANECHO_DICOMWEB_TOKEN", "other")
    selection = StudySelection(dicomweb="http://pacs")
    assert selection.dicomweb_headers == {"Authorization": "Bearer other"}
    assert StudySelection(dicomweb="http://pacs", dicomweb_token_file=file).dicomweb_headers == bearer


def test_a_header_that_is_given_stays(file: Path) -> None:
    assert with_token({"authorization": "Basic x"}, file, "") == {"authorization": "Basic x"}


@pytest.mark.parametrize("content", ["", "two tokens", "a\nb", "\u00e4"])
def test_what_is_not_one_token_is_refused_and_not_shown(file: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(RequestError, match=r"token does not hold one token") as caught:
        with_token({}, file, "")
    assert not content or content not in str(caught.value)
    with pytest.raises(FilesError, match="cannot be read"):
        with_token({}, file.with_name("gone"), "")


def test_the_variable_names_the_file_for_every_command(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("two tokens")
    monkeypatch.setenv("PANECHO_TOKEN_FILE", str(file))
    refused = invoke("models", "--url", "localhost:1")
    assert f"{file} does not hold one token" in refused.stderr
    assert refused.exit_code == 1
