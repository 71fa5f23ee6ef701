"""What the site adds to the pages of docs/: pages of the root, links to other files, and the help of each command.

MkDocs calls the functions below; see mkdocs.yml.
"""

import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")
HELP = re.compile(r"^<!-- help: (.+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, which the hosting service wants there."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_: object) -> str:
    """Make links work on the site, and put each command's help where a page asks for it."""
    folder = "." if page.file.src_uri in ROOT_PAGES else posixpath.join("docs", posixpath.dirname(page.file.src_uri))
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda link: _link(link, folder, page.file, files), part) for part in parts[::2]]
    return HELP.sub(lambda command: _help(command[1]), "".join(parts))


def _link(link: re.Match[str], folder: str, page: File, files: Files) -> str:
    """Return a link to a page of the site; for any other file of the repository its path, as text."""
    text, target, anchor = link.groups(default="")
    path = posixpath.normpath(posixpath.join(folder, target))
    uri = path if path in ROOT_PAGES else path.removeprefix("docs/")
    if files.get_file_from_path(uri) and (path in ROOT_PAGES or path.startswith("docs/")):
        return f"[{text}]({posixpath.relpath(uri, posixpath.dirname(page.src_uri) or '.')}{anchor})"
    if not (ROOT / path).exists():
        return link[0]  # MkDocs reports it
    return text if path in text else f"{text} (`{path}`)"


def _help(command: str) -> str:
    """Return what a command's `--help` prints, as a code block."""
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    program = str(Path(sys.executable).with_name("panecho"))
    printed = subprocess.run(  # noqa: S603 - our own command, named in our own pages
        [program, *command.split()[1:], "--help"], capture_output=True, text=True, check=True, env=environment
    )
    return f"```text\n{printed.stdout.strip()}\n```"
