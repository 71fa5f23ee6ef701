import json

import pytest

from panecho_client import IncompatibleServerError
from panecho_client._metadata import Description, parse_description


def test_tasks_are_those_of_the_server(description: Description) -> None:
    tasks = {task.key: task for task in description.tasks}
    assert len(tasks) == 40
    assert (tasks["EF"].kind, tasks["EF"].unit, tasks["EF"].group) == ("regression", "%", "Left ventricle")
    assert tasks["AVStenosis"].classes == ("Mild|Moderate", "None", "Severe")
    assert tasks["MVStenosis"].positive_class == "Mild|Moderate|Severe"
    assert sum(task.size for task in description.tasks) == 58
    assert description.weights.stand_in


def test_what_a_newer_server_adds_is_passed_over(parameters: dict[str, str]) -> None:
    tasks = [{**task, "added": 1} for task in json.loads(parameters["tasks"])]
    assert len(parse_description({**parameters, "tasks": json.dumps(tasks)}).tasks) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": "not JSON"},
        {"tasks": "[1]"},
        {"tasks": '[{"key": "EF"}]'},
        {"weights": "{}"},
        {"weights": "null"},
        {"tasks": '[{"key": "EF", "kind": "ranking"}]'},
    ],
)
def test_unreadable_description_says_which_version_to_use(parameters: dict[str, str], change: dict[str, str]) -> None:
    with pytest.raises(IncompatibleServerError, match=r"does not describe its tasks.*panecho-triton \d"):
        parse_description(parameters | change)


def test_missing_description(parameters: dict[str, str]) -> None:
    del parameters["tasks"]
    with pytest.raises(IncompatibleServerError, match="does not describe its tasks"):
        parse_description(parameters)
