"""The Python examples of README and docs; ``python -m support.doc_examples FOLDER`` writes each to a file, for mypy."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def doc_examples() -> dict[str, str]:
    """Return each example by its page and its number on that page."""
    found: dict[str, str] = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        name = re.sub(r"\W", "_", page.stem)
        found |= {f"{name}_{number}": block for number, block in enumerate(blocks, start=1)}
    return found


def write_examples(folder: Path) -> None:
    """Write each example to a file of its own, and nothing else into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.py"):
        old.unlink()
    for name, text in doc_examples().items():
        (folder / f"{name}.py").write_text(text)


if __name__ == "__main__":
    write_examples(Path(sys.argv[1]))
