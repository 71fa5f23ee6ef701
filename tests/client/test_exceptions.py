from pathlib import Path

import pytest

import panecho_client
from panecho_client import PanEchoError, RequestError, UnknownTaskError

FILES = [Path("study/a.dcm"), Path("study/b.dcm"), Path("study/c.dcm")]


def test_hierarchy_is_the_one_drawn() -> None:
    drawn = (panecho_client._exceptions.__doc__ or "").split("\n\n")[1]  # noqa: SLF001 - the drawing is there
    errors = [name for name in panecho_client.__all__ if name.endswith("Error")]
    assert all(name in drawn for name in errors)
    assert all(issubclass(getattr(panecho_client, name), PanEchoError) for name in errors)


@pytest.mark.parametrize(
    ("message", "indices"),
    [
        ("in ensemble 'panecho', video_sizes[2]: TRUNCATED: 3 of 30 frames", [2]),
        (
            "no file of this request could be used: video_sizes[0]: EMPTY_FILE: no bytes; video_sizes[2]: TRUNCATED: x",
            [0, 2],
        ),
        ("no usable video: 0: EMPTY_FILE: no bytes; 1: NOT_A_CINE: one frame", [0, 1]),
        ("0: EMPTY_FILE: no bytes", [0]),
        ("video_sizes[7]: an index that was not sent", []),
        ("num_clips=0: must be a whole number from 1 to 64", []),
    ],
)
def test_files_known_by_index_are_named(message: str, indices: list[int]) -> None:
    named = RequestError(message, code="INVALID_ARGUMENT").naming(FILES)
    assert isinstance(named, RequestError)
    assert named.paths == tuple(FILES[index] for index in indices)
    assert str(named).startswith(message)
    assert all(f"video {index} is {FILES[index]}" in str(named) for index in indices)
    assert named.code == "INVALID_ARGUMENT"


def test_unknown_task_suggests_close_names() -> None:
    error = UnknownTaskError.of("avstenosys", ["EF", "AVStenosis", "MVStenosis"], where="this server")
    assert str(error) == "this server has no task 'avstenosys'; did you mean AVStenosis or MVStenosis?"
    assert isinstance(error, KeyError)


def test_unknown_task_lists_all_names_when_none_is_close() -> None:
    assert str(UnknownTaskError.of("xyz", ["EF", "GLS"], where="this server")).endswith("known: EF, GLS.")
