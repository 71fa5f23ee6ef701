"""What the pages say of the code is so: files that they name are there, and packages import what the table says."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

import panecho_client
from panecho_postprocessing.aggregation import MODEL_FAILED
from panecho_preprocessing import VideoErrorCode

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
TRACKED = subprocess.run(
    ["git", "ls-files"],  # noqa: S607 - the git of who runs the tests
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
FOLDERS = {name.partition("/")[0] for name in TRACKED if "/" in name}
NOT_TRACKED = {"deploy/compose/secrets/admin-key", "deploy/kubernetes/site"}
"""What a reader makes by following a page."""

# | `client/` | `panecho_client` | what it does | what it imports |
ROW = re.compile(r"^\| `(\w+)/` \| `(panecho_\w+)` \| [^|]* \| ([\w, ]+) \|$", re.MULTILINE)


def missing_files(text: str) -> set[str]:
    code = set(re.findall(r"(?<!`)`([\w./-]+)`(?!`)", text))
    folders = {name for name in code if "/" in name and name.partition("/")[0] in FOLDERS}
    gone = {name for name in folders - NOT_TRACKED if not re.search(r"[A-Z]{4}", name) and not (ROOT / name).exists()}
    modules = {name for name in code - folders if name.endswith(".py")}
    return gone | {name for name in modules if not any(f"/{path}".endswith(f"/{name}") for path in TRACKED)}


def imported(package: Path) -> set[str]:
    """Our packages that any file of a package imports."""
    names: set[str] = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    ours = {name.partition(".")[0] for name in names if name.startswith("panecho_")}
    return ours - {package.name}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    assert missing_files(page.read_text()) == set()


def test_a_file_that_is_not_there_is_found() -> None:
    text = (
        "`client/no.py` `no.py` `open_dicom.py` `tests/docs/` ``other`` `panecho_client.outputs` `tests/test_NAME.py`"
    )
    assert missing_files(text) == {"client/no.py", "no.py"}


def test_every_status_and_error_is_explained() -> None:
    page = (ROOT / "docs/reference/statuses.md").read_text()
    codes = [*VideoErrorCode, MODEL_FAILED.partition(":")[0]]
    errors = [name for name in panecho_client.__all__ if name.endswith("Error")]
    assert [name for name in [*codes, *errors] if not re.search(rf"\b{name}\b", page)] == []


def test_every_page_is_in_the_index_and_in_the_site() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - {"index.md"}
    index = (ROOT / "docs/index.md").read_text()
    assert {page for page in pages if f"({page})" not in index} == set()
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    assert {page for page in pages if navigation.count(f": {page}\n") != 1} == set()


def test_packages_import_what_the_table_says() -> None:
    rows = {package: (folder, imports) for folder, package, imports in ROW.findall(ARCHITECTURE)}
    packages = {path.parent.name: path.parent for path in ROOT.glob("*/panecho_*/__init__.py")}
    assert rows.keys() == packages.keys()
    said = {
        package: {f"panecho_{name}" for name in imports.split(", ")} - {"panecho_none"}
        for package, (_, imports) in rows.items()
    }
    assert said == {package: imported(path) for package, path in packages.items()}
    assert {package: folder for package, (folder, _) in rows.items()} == {
        package: path.parent.name for package, path in packages.items()
    }
