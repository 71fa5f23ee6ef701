"""The site builds without a warning, loads nothing from elsewhere, and shows every public name and command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import panecho_client
import panecho_client.outputs
import panecho_client.sources
import panecho_local
import panecho_model
import panecho_server
from panecho_client._commands.app import installed_commands

ROOT = Path(__file__).parents[2]
SHOWN = [panecho_client, panecho_client.outputs, panecho_client.sources, panecho_local, panecho_model, panecho_server]
LOADED = re.compile(r"""<(?:script|img|link)\b[^>]*\b(?:src|href)=["']((?:https?:)?//[^"']+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert {page.name: found for page in pages if (found := LOADED.findall(page.read_text()))} == {}


@pytest.mark.slow
def test_help_of_every_command_is_shown(site: Path) -> None:
    page = (site / "reference/command-line.html").read_text()
    assert {entry.name for entry in installed_commands() if f"Usage: panecho {entry.name}" not in page} == set()


@pytest.mark.slow
def test_examples_of_docstrings_are_code(site: Path) -> None:
    page = (site / "reference/python-api.html").read_text()
    assert 'id="panecho_client.PanEcho.predict_study"' in page
    assert "Examples:" in page
    assert "admonition example" not in page


def test_every_public_name_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/python-api.md").read_text()
    names = {f"{package.__name__}.{name}" for package in SHOWN for name in package.__all__}
    assert names - set(re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)) == set()


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_files_for_the_hosting_service_are_valid(schema: str, files: str) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", f"vendor.{schema}", *map(str, ROOT.glob(files))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
