"""``docs/reference/files.md`` lists what is read."""

import re
from pathlib import Path

from panecho_preprocessing.dicom.transfer_syntax import CODECS, NATIVE, VIDEO

PAGE = Path(__file__).parents[2] / "docs/reference/files.md"
START = "1.2.840.10008.1.2"


def test_every_transfer_syntax_is_listed() -> None:
    (section,) = re.findall(r"^## Transfer syntaxes\n(.*?)^## ", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    rows = section.split("|---|---|")[1]
    listed = [START + rest for rest in re.findall(r"`…([\d.]*)`", rows)]
    assert sorted(listed) == sorted([*NATIVE, *CODECS, *VIDEO])
