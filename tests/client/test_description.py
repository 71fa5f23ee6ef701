import json

import pytest

from panecho_client import IncompatibleServerError
from panecho_client._description import Description, Manifest, Parity, parse_description


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
        {"manifest": "{}"},
        {"manifest": "not JSON"},
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


MANIFEST = {
    "tasks": ["EF"],
    "precision": "bf16",
    "clip_length": 8,
    "versions": {"torch": "2.11.0"},
    "exported": "2026-01-31T12:00:00+00:00",
    "parity": {"clips": 5, "embedding": 0.01, "tasks": {"EF": 0.2}},
}


def test_manifest_tells_how_the_weights_were_exported(parameters: dict[str, str]) -> None:
    manifest = parse_description({**parameters, "manifest": json.dumps(MANIFEST)}).weights.manifest
    assert manifest == Manifest(
        precision="bf16",
        clip_length=8,
        versions={"torch": "2.11.0"},
        exported="2026-01-31T12:00:00+00:00",
        parity=Parity(clips=5, embedding=0.01, tasks={"EF": 0.2}),
    )


def test_server_without_manifest_is_served(parameters: dict[str, str]) -> None:
    assert parse_description(parameters).weights.manifest is None


def test_repository_without_validation_has_no_parity(parameters: dict[str, str]) -> None:
    manifest = parse_description({**parameters, "manifest": json.dumps(MANIFEST | {"parity": None})}).weights.manifest
    assert manifest is not None
    assert manifest.parity is None
