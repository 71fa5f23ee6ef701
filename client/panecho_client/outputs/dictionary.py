"""The data dictionary: what each column of the tables holds, and which PanEcho task and class it is."""

from collections.abc import Iterable, Iterator, Mapping

from panecho_client._description import Task
from panecho_client._result_views.variables import Variable, class_label, variables
from panecho_client.outputs.class_sentences import sentence
from panecho_client.outputs.prediction_text import readable_class
from panecho_client.outputs.table_files import Columns, Row
from panecho_client.outputs.tables import LONG_COLUMNS, wide_columns
from panecho_client.outputs.task_facts import measurement_facts

__all__ = ["DICTIONARY_COLUMNS", "dictionary_rows"]

DICTIONARY_COLUMNS: Columns = dict.fromkeys(("table", "variable", "type", "task", "class", "unit", "meaning"), str)

TYPES = {str: "text", float: "number", int: "whole number", bool: "true or false"}

LONG, WIDE = "predictions", "studies"

MEANINGS: Mapping[str, str] = {
    "study": "Study Instance UID, or the pseudonym that stands for it",
    "patient": "Patient ID, or the pseudonym that stands for it; missing where no file names one",
    "path": "folder or file that holds the study's files; missing without --include-identifiers",
    "video": "path of the file, or its pseudonym; missing in rows of the study",
    "sop_instance_uid": "SOP Instance UID of the file, or the UID that stands for it; missing if it is not DICOM",
    "status": "ok, or why the file was skipped",
    "task": "PanEcho's name of the task",
    "class": "task and class whose probability is in value, such as AVStenosis:None; missing for a measurement",
    "variable": "name of the same number in the table of studies",
    "value": "the measurement, or a probability from 0 to 1; GLS is -1 times the strain",
    "unit": "unit of value; 1 for ratios and probabilities",
    "predicted": "whether the class is the most probable one; missing for a measurement",
    "videos": "videos whose mean the value is",
    "sd": "standard deviation of the value over the videos (of a sample); missing below two videos",
    "lowest": "least value among the videos",
    "highest": "largest value among the videos",
    "videos_used": "files that the predictions are the mean of",
    "videos_skipped": "files that could not be used",
    "skipped_statuses": "number of skipped files by status code",
    "model": "PanEcho",
    "version": "version of panecho-triton",
    "weights": "name of the checkpoint",
    "weights_sha256": "SHA-256 of the checkpoint",
    "stand_in": "whether the weights only stand in for trained ones: the numbers then mean nothing",
    "model_precision": "precision that the network computes in: fp32, bf16, fp16 or auto",
    "warnings": "what must be shown with the numbers",
}
"""What the columns hold that are of no single task."""

FILES = {(WIDE, "videos"): "files of the study"}


def dictionary_rows(tasks: Iterable[Task]) -> Iterator[Row]:
    """Return a row per column of the table of studies, then of the table of predictions.

    Args:
        tasks: Tasks that were predicted, in the model's order.
    """
    known = tuple(tasks)
    by_key = {task.key: task for task in known}
    made = {variable.name: variable for variable in variables(known)}
    for name, kind in wide_columns(known).items():
        if name in made:
            yield {"table": WIDE, "variable": name, "type": TYPES[kind], **_of_task(made[name], by_key)}
        else:
            yield _fixed(WIDE, name, kind)
    for name, kind in LONG_COLUMNS.items():
        yield _fixed(LONG, name, kind)


def _fixed(table: str, name: str, kind: type) -> Row:
    meaning = FILES.get((table, name), MEANINGS[name])
    return {"table": table, "variable": name, "type": TYPES[kind]} | {
        "task": None,
        "class": None,
        "unit": None,
        "meaning": meaning,
    }


def _of_task(variable: Variable, tasks: Mapping[str, Task]) -> dict[str, str | None]:
    task, name = tasks[variable.task], variable.class_name
    unit = (task.unit or "1") if task.kind == "regression" else "1"
    if variable.role == "class":
        classes = ", ".join(class_label(task.key, of) for of in task.classes)
        return {"task": task.key, "class": None, "unit": None, "meaning": f"most probable class; one of {classes}"}
    about = {"task": task.key, "class": name and class_label(task.key, name), "unit": unit}
    if variable.role == "sd":
        return {**about, "meaning": f"standard deviation over the videos: {measurement_facts(task).name}"}
    if name is None:
        return {**about, "meaning": f"{measurement_facts(task).name}{_sign(task)}"}
    return {**about, "meaning": f"probability of {readable_class(name)}: {sentence(task, name)}"}


def _sign(task: Task) -> str:
    return "; -1 times the strain" if measurement_facts(task).sign < 0 else ""
