import hashlib
import re
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def test_shipped_files_are_those_in_the_table() -> None:
    readme = (DATA / "README.md").read_text()
    table = re.findall(r"^\| `(\S+)` .* \| `([0-9a-f]{64})` \|$", readme, re.MULTILINE)
    files = [
        (path.relative_to(DATA).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in DATA.rglob("*")
        if path.is_file() and path.name != "README.md"
    ]
    assert sorted(table) == sorted(files)
    assert len(files) >= 14
