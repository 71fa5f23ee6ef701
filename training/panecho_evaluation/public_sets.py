"""Public data sets by name: their files as a table, and the numbers that were published on them."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from panecho_evaluation.csv_files import read_rows, write_text
from panecho_evaluation.errors import EvaluationError

__all__ = ["PUBLIC_SETS", "PublicSet", "Published"]

FAULTS_SHOWN = 10
TABLE = "table.csv"


@dataclass(frozen=True)
class Published:
    """A number that was published on a set.

    Attributes:
        model: Which model.
        task: Name of the task.
        metric: Name of the metric.
        value: The number, in the task's unit.
        source: Where it is from.
    """

    model: str
    task: str
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes:
        title: Its name.
        split: The rows that published numbers are of.
        table: Returns the set's table of labels as CSV text, from the folder that it was unpacked to.
        published: Numbers to compare with.
    """

    title: str
    split: str
    table: Callable[[Path], str]
    published: tuple[Published, ...]

    def write_table(self, folder: Path, output: Path) -> Path:
        """Write the set's table to an output folder, and return its path.

        Args:
            folder: Folder that the set was unpacked to.
            output: Where to write ``table.csv``.

        Raises:
            EvaluationError: The set is not in the folder, or the table cannot be written.
        """
        return write_text(output / TABLE, self.table(folder))


def _echonet_dynamic(folder: Path) -> str:
    """Return the table of EchoNet-Dynamic: a video per patient, with EF and volumes.

    ``FileList.csv`` names videos with or without ``.avi``; it may be in a folder below the given one.

    Raises:
        EvaluationError: The files are not there.
    """
    lists = [path for path in (folder / "FileList.csv", *sorted(folder.glob("*/FileList.csv"))) if path.is_file()]
    if not lists:
        raise EvaluationError(f"{folder} holds no FileList.csv; name the folder that EchoNet-Dynamic was unpacked to.")
    videos = lists[0].parent / "Videos"
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(("file", "study", "patient", "split", "EF", "LVESV", "LVEDV"))
    missing: list[str] = []
    with read_rows(lists[0]) as (header, _, lines):
        try:
            places = [header.index(name) for name in ("FileName", "Split", "EF", "ESV", "EDV")]
        except ValueError as error:
            raise EvaluationError(f"{lists[0]} is not that of EchoNet-Dynamic: {error}.") from None
        for _, line in lines:
            name, split, ef, esv, edv = (line[place] for place in places)
            video = videos / f"{name.removesuffix('.avi')}.avi"
            if split.upper() == "TEST" and not video.is_file():
                missing.append(video.name)
            rows.writerow((video.absolute(), video.stem, video.stem, split.upper(), ef, esv, edv))
    if missing:
        shown = ", ".join(missing[:FAULTS_SHOWN])
        raise EvaluationError(f"{videos} lacks {len(missing)} videos of the test split, such as {shown}.")
    return table.getvalue()


PUBLIC_SETS: Mapping[str, PublicSet] = {
    "echonet-dynamic": PublicSet(
        title="EchoNet-Dynamic",
        split="TEST",
        table=_echonet_dynamic,
        published=(
            Published("PanEcho", "EF", "mae", 4.5, "Holste et al., JAMA 2025, external validation"),
            Published("EchoNet-Dynamic", "EF", "mae", 4.1, "Ouyang et al., Nature 2020, test split"),
            Published("EchoNet-Dynamic", "EF", "rmse", 5.3, "Ouyang et al., Nature 2020, test split"),
            Published("EchoNet-Dynamic", "EF", "r2", 0.81, "Ouyang et al., Nature 2020, test split"),
        ),
    ),
}
