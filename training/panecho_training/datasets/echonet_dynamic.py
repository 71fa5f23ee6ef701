"""EchoNet-Dynamic: 10,030 apical four-chamber videos of as many patients, with EF and volumes.

Stanford AIMI; research use, no redistribution, no derivative works of the data (Ouyang et al., Nature 2020).
"""

from pathlib import Path

from panecho_training.datasets.dataset_rows import DatasetRows, find_file, number, read_records

__all__ = ["echonet_dynamic"]

LABELS = {"EF": "EF", "LVESV": "ESV", "LVEDV": "EDV"}
COLUMNS = ("video", "study", "patient", "split", *LABELS)


def echonet_dynamic(folder: Path) -> DatasetRows:
    """Return the table of the set: ``FileList.csv`` names videos with or without ``.avi``, each its own patient.

    Raises:
        TableError: The files are not there.
    """
    listing = find_file(folder, "FileList.csv")
    table = DatasetRows(columns=COLUMNS, rows=[])
    for record in read_records(listing, ("FileName", "Split", *LABELS.values())):
        video = listing.parent / "Videos" / f"{record['FileName'].removesuffix('.avi')}.avi"
        if not video.is_file():
            table.missing.append(video)
            continue
        labels = {task: number(record[column]) for task, column in LABELS.items()}
        identity = {"video": str(video.absolute()), "study": video.stem, "patient": video.stem}
        table.rows.append(identity | {"split": record["Split"].lower()} | labels)
    return table
