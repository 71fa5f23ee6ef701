"""Every link between the pages of this repository, and every mention of a page in code, leads somewhere."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HTML_LINK = re.compile(r"(?:href|src)=[\"']([^\"']+)[\"']")
MENTION = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")
ELSEWHERE = re.compile(r"[a-z]+:|//")


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


PAGES = tracked("*.md")


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links, as the usual hosting services do it."""
    text = CODE_BLOCK.sub("", page.read_text())
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found | set(re.findall(r'<a id="([\w-]+)"', text))


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", CODE_BLOCK.sub("", page.read_text()))
    yield from (link for link in LINK.findall(text) + HTML_LINK.findall(text) if not ELSEWHERE.match(link))


def broken(page: Path, link: str) -> str | None:
    name, _, anchor = unquote(link).partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors(target):
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page(page: Path) -> None:
    assert [fault for link in links(page) if (fault := broken(page, link))] == []


def test_pages_named_in_code_and_settings() -> None:
    others = [
        path for path in tracked() if path.suffix not in {".md", ".png", ".dcm", ".lock"} and path != Path(__file__)
    ]
    faults = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in others
        for mention in MENTION.findall(path.read_bytes().decode(errors="replace"))
        if (fault := broken(ROOT / "root", mention))
    ]
    assert faults == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading: `code`, and more\n## Twice\n## Twice\n[a](#none) ![b](b.png) <img src='c'> [d](#twice-1)\n"
    )
    assert anchors(page) == {"a-heading-code-and-more", "twice", "twice-1"}
    assert [broken(page, link) is not None for link in links(page)] == [True, True, False, True]
    page.write_text("`[a](a)` [b](https://example.org)\n```\n[c](c)\n```\n")
    assert list(links(page)) == []
