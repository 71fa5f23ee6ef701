"""The task table against the published facts."""

import json
from pathlib import Path

import pytest

from panecho_model.errors import TaskError
from panecho_model.tasks import TASKS, Task, find_tasks, logits_size

PUBLISHED = json.loads((Path(__file__).parent / "data" / "published_tasks.json").read_text())


def test_keys_and_their_order() -> None:
    assert [task.key for task in TASKS] == [task["key"] for task in PUBLISHED]


@pytest.mark.parametrize(("task", "published"), list(zip(TASKS, PUBLISHED, strict=True)))
def test_facts(task: Task, published: dict[str, object]) -> None:
    assert task.kind == published["kind"]
    assert task.description == str(published["description"]).rstrip(".")
    assert task.unit == published.get("unit")
    assert list(task.classes) == published.get("classes", published.get("label_classes", []))
    assert task.inverted == published.get("reported_as_one_minus_sigmoid", False)
    assert task.positive_class == published.get("positive_class")
    assert task.training_mean == published.get("training_mean")


def test_released_counts() -> None:
    kinds = [task.kind for task in TASKS]
    assert {kind: kinds.count(kind) for kind in kinds} == {"regression": 21, "binary": 10, "multiclass": 9}
    assert logits_size() == 58


def test_the_seven_inverted_tasks() -> None:
    assert {task.key for task in TASKS if task.inverted} == {
        "MVStenosis",
        "AVStructure",
        "RASize",
        "RVSystolicFunction",
        "LVWallThickness-increased-modsev",
        "LVWallThickness-increased-any",
        "pericardial-effusion",
    }


def test_chosen_tasks_are_in_released_order_and_once() -> None:
    assert [task.key for task in find_tasks(["AVStenosis", "EF", "EF"])] == ["EF", "AVStenosis"]


@pytest.mark.parametrize(
    ("key", "hint"), [("AVStenoses", "did you mean AVStenosis"), ("ef", "did you mean EF"), ("?", "known: pericardial")]
)
def test_unknown_task_names_those_that_are_close(key: str, hint: str) -> None:
    with pytest.raises(TaskError, match=f"no task '.*'; {hint}"):
        find_tasks(["EF", key])


def test_no_task() -> None:
    with pytest.raises(TaskError, match="no task was named"):
        find_tasks([])
