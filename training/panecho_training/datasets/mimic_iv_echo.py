"""MIMIC-IV-ECHO: transthoracic studies as DICOM, with the structured measurements of their reports.

PhysioNet, credentialed access (Gow et al., 2026, doi 10.13026/nrjh-5r77). The set has no splits: patients are
divided by a hash of their number, 8 of 10 to train, 1 to val, 1 to test.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from panecho_training.datasets.dataset_rows import DatasetRows, find_file, read_records
from panecho_training.errors import TableError

__all__ = ["CODES", "mimic_iv_echo"]

CODES: Mapping[str, str] = {
    "lvef": "EF",
    "biplane_lvef": "EF",
    "gls": "GLS",
    "tapse": "TAPSE",
    "av_pk_vel": "AVPkVel(m|s)",
    "lvot_diam": "LVOTDiam",
}
"""Task of each code of a measurement; of several codes of a task, the first that a study has."""

UNITS = {"AVPkVel(m|s)": {"cm/s": 0.01, "cm/sec": 0.01}}
"""Factors to the task's unit, where it is not cm."""

LENGTHS = {"mm": 0.1}
NEGATED = ("GLS",)
CODES_SHOWN = 15
DECIMALS = 6
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def mimic_iv_echo(folder: Path, codes: Mapping[str, str] = CODES) -> DatasetRows:
    """Return the table of the DICOM files whose study has a report within two days.

    Strain is stored negative and becomes positive, as the model's; mm become cm. Codes that were not used are
    counted in the notes.

    Args:
        folder: Folder with ``echo-record-list.csv``, ``echo-study-list.csv`` and ``structured-measurement.csv.gz``.
        codes: Task of each code; by default those whose meaning is certain.

    Raises:
        TableError: The files are not there.
    """
    records = find_file(folder, "echo-record-list.csv")
    labels, unused = _measurements(folder, codes)
    measured = _measured_studies(folder)
    tasks = list(dict.fromkeys(codes.values()))
    table = DatasetRows(columns=("video", "study", "patient", "split", *tasks), rows=[])
    unlabelled = 0
    for record in read_records(records, ("dicom_filepath", "study_id", "subject_id")):
        found = labels.get(measured.get(record["study_id"], ""), {})
        video = records.parent / record["dicom_filepath"]
        if not found:
            unlabelled += 1
        elif not video.is_file():
            table.missing.append(video)
        else:
            patient = record["subject_id"]
            identity = {"video": str(video.absolute()), "study": record["study_id"], "patient": patient}
            table.rows.append(identity | {"split": split_of(patient)} | found)
    if unlabelled:
        table.notes.append(f"left out {unlabelled} videos without a measurement of their study")
    if unused:
        shown = ", ".join(f"{code} ({count})" for code, count in unused.most_common(CODES_SHOWN))
        table.notes.append(f"codes without a task: {shown}; give one with --measurement CODE=TASK")
    return table


def split_of(patient: str) -> str:
    """Return the split of a patient, always the same."""
    place = int(hashlib.sha256(patient.encode()).hexdigest(), 16) % 10
    return {8: "val", 9: "test"}.get(place, "train")


def _measured_studies(folder: Path) -> dict[str, str]:
    listing = find_file(folder, "echo-study-list.csv")
    return {row["study_id"]: row["measurement_id"] for row in read_records(listing, ("study_id", "measurement_id"))}


def _measurements(folder: Path, codes: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], Counter[str]]:
    """Return the labels of each measured study, and how often each code without a task occurs."""
    try:
        path = find_file(folder, "structured-measurement.csv.gz")
    except TableError:
        path = find_file(folder, "structured-measurement.csv")
    ranks = {code: rank for rank, code in enumerate(codes)}
    best: defaultdict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    unused: Counter[str] = Counter()
    for record in read_records(path, ("measurement_id", "test_type", "measurement", "result")):
        if record["test_type"].lower() != "tte":
            continue
        code = record["measurement"].lower()
        if code not in codes:
            unused[code] += 1
            continue
        task, value = codes[code], _value(codes[code], record["result"], record.get("unit", ""))
        of_study = best[record["measurement_id"]]
        if value and ranks[code] < of_study.get(task, (len(ranks), ""))[0]:
            of_study[task] = (ranks[code], value)
    return {study: {task: value for task, (_, value) in found.items()} for study, found in best.items()}, unused


def _value(task: str, result: str, unit: str) -> str:
    """Return a result in the task's unit, empty for one that is no number."""
    if not NUMBER.fullmatch(result):
        return "" if re.search(r"\d", result) else result
    value = float(result) * UNITS.get(task, LENGTHS).get(unit.lower().strip(), 1)
    return f"{round(abs(value) if task in NEGATED else value, DECIMALS):g}"
