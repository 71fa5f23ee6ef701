"""EchoNet-Pediatric: apical four-chamber and parasternal short-axis videos of children, with EF, in ten folds.

Stanford AIMI; research use, no redistribution (Reddy et al., J Am Soc Echocardiogr 2023).
"""

import hashlib
from pathlib import Path

from panecho_training.datasets.dataset_rows import DatasetRows, find_file, number, read_records

__all__ = ["FOLDS", "echonet_pediatric"]

FOLDS = 10
VIEWS = ("A4C", "PSAX")
OTHERS = {"sex": "Sex", "age": "Age", "weight": "Weight", "height": "Height"}
COLUMNS = ("video", "study", "patient", "split", "EF", "view", *OTHERS)


def echonet_pediatric(folder: Path) -> DatasetRows:
    """Return the table of both views; EF is a study's, and a study's videos of both views are predicted together.

    A file is named patient-accession-instance. The fold of a patient is sha1 of its name, modulo 10, in both views.

    Raises:
        TableError: The files are not there.
    """
    table = DatasetRows(columns=COLUMNS, rows=[])
    moved = 0
    for view in VIEWS:
        listing = find_file(folder, f"{view}/FileList.csv", depth=3)
        for record in read_records(listing, ("FileName", "EF", "Split")):
            video = listing.parent / "Videos" / f"{record['FileName'].removesuffix('.avi')}.avi"
            if not video.is_file():
                table.missing.append(video)
                continue
            patient, _, rest = video.stem.partition("-")
            fold = number(record["Split"]).removesuffix(".0")
            moved += fold != fold_of(patient)
            identity = {"video": str(video.absolute()), "study": f"{patient}-{rest.partition('-')[0]}"}
            others = {name: number(record.get(column, "")) for name, column in OTHERS.items()}
            table.rows.append(
                identity | {"patient": patient, "split": fold, "EF": number(record["EF"]), "view": view} | others
            )
    if moved:
        table.notes.append(f"{moved} videos are in another fold than their patient's hash says")
    return table


def fold_of(patient: str) -> str:
    """Return the fold of a patient."""
    return str(int(hashlib.sha1(patient.encode(), usedforsecurity=False).hexdigest(), 16) % FOLDS)
