"""EchoNet-LVH: parasternal long-axis videos with wall thicknesses and diameters of the left ventricle.

Stanford AIMI; research use, no redistribution (Duffy et al., JAMA Cardiology 2022).
"""

from collections import Counter
from pathlib import Path

from panecho_training.datasets.dataset_rows import DatasetRows, find_file, number, read_records

__all__ = ["echonet_lvh"]

LABELS = ("IVSd", "LVIDd", "LVPWd", "LVIDs")
COLUMNS = ("video", "study", "patient", "split", *LABELS)


def echonet_lvh(folder: Path) -> DatasetRows:
    """Return the table of the set: ``MeasurementsList.csv`` has a row per measurement, in cm.

    Of several rows of one measurement the first counts; a measurement without a row is missing.

    Raises:
        TableError: The files are not there.
    """
    listing = find_file(folder, "MeasurementsList.csv")
    videos = {path.stem: path for path in sorted(listing.parent.glob("Batch*/*.avi"))}
    rows: dict[str, dict[str, str]] = {}
    ignored: Counter[str] = Counter()
    table = DatasetRows(columns=COLUMNS, rows=[])
    for record in read_records(listing, ("HashedFileName", "Calc", "CalcValue", "split")):
        name, task = record["HashedFileName"].removesuffix(".avi"), record["Calc"]
        if name not in rows:
            rows[name] = {"study": name, "patient": name, "split": record["split"].lower()}
        if task not in LABELS:
            ignored[f"of {task}, which is no task"] += 1
        elif task in rows[name]:
            ignored[f"of {task} again for the same video"] += 1
        elif number(record["CalcValue"]):
            rows[name][task] = record["CalcValue"]
    for name, row in rows.items():
        if name in videos:
            table.rows.append({"video": str(videos[name].absolute())} | row)
        else:
            table.missing.append(listing.parent / f"Batch*/{name}.avi")
    table.notes.extend(f"left out {count} rows {what}" for what, count in ignored.items())
    return table
