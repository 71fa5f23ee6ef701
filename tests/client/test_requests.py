"""The logic of a study's requests that needs no server."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_client import ClipOptions, RequestError, ServerError, Weights
from panecho_client._description import Description
from panecho_client._requests import (
    VideoAnswer,
    gathered,
    in_one_request,
    refused_status,
    require_same_weights,
    require_usable,
    skipped_video,
    video_answer,
    with_video_rows,
    without_copies,
)
from panecho_client._responses import build_study

FILES = [Path("a.dcm"), Path("b.dcm"), Path("c.dcm")]


@pytest.fixture
def answers() -> list[VideoAnswer]:
    """Two videos of two and one clips, and between them one that was skipped."""
    rows = [np.full((count, 58), count, np.float32) for count in (2, 1)]
    first, last = (
        VideoAnswer(
            status="ok",
            logits=row,
            rows={
                "embedding": np.full(768, len(row), np.float32),
                "key_frame": np.full((224, 224, 3), len(row), np.uint8),
            },
        )
        for row in rows
    )
    return [first, skipped_video("EMPTY_FILE: no bytes"), last]


def test_clips_keep_their_video(answers: list[VideoAnswer]) -> None:
    inputs = gathered(answers)
    assert inputs["clip_video"].tolist() == [0, 0, 2]
    assert inputs["logits"][:, 0].tolist() == [2, 2, 1]
    assert inputs["clip_embedding"].shape == (3, 768)
    assert inputs["video_status"].tolist() == [b"ok", b"EMPTY_FILE: no bytes", b"ok"]


def test_a_skipped_video_has_an_embedding_of_nan_and_a_black_frame(answers: list[VideoAnswer]) -> None:
    outputs = with_video_rows({"EF": np.zeros(1)}, answers, ["embedding", "key_frame"])
    assert outputs.keys() == {"EF", "embedding", "key_frame"}
    assert outputs["embedding"].shape == (3, 768)
    assert np.isnan(outputs["embedding"][:, 0]).tolist() == [False, True, False]
    assert (outputs["key_frame"].shape, str(outputs["key_frame"].dtype)) == ((3, 224, 224, 3), "uint8")
    assert outputs["key_frame"][:, 5, 5, 1].tolist() == [2, 0, 1]


def test_an_answer_holds_what_was_requested() -> None:
    answer = video_answer({"video_status": np.array([b"ok"], object), "embedding": np.ones((1, 768), np.float32)})
    assert (answer.status, len(answer.logits), [*answer.rows]) == ("ok", 0, ["embedding"])


def test_videos_of_one_digest_count_once() -> None:
    """Whatever their numbers: what shares a batch changes them, and two videos can have the same."""
    answers = [
        VideoAnswer(status=status, logits=np.full((1, 58), number, np.float32), rows={}, digest=digest)
        for status, number, digest in (
            ("ok", 0, "a"),
            ("ok", 0, "b"),
            ("EMPTY_FILE: no bytes", 0, ""),
            ("ok: no sector", 0.5, "a"),
            ("ok", 0, ""),
            ("ok", 0, ""),
        )
    ]
    statuses = [answer.status for answer in without_copies(answers)]
    copy = "DUPLICATE: the same video as video_sizes[0]; it counts once"
    assert statuses == ["ok", "ok", "EMPTY_FILE: no bytes", copy, "ok", "ok"]


def test_a_skipped_video_is_refused_where_it_must_be(answers: list[VideoAnswer]) -> None:
    require_usable(answers, FILES, "skip")
    with pytest.raises(RequestError, match=r"^video_sizes\[1\]: EMPTY_FILE: no bytes \(video 1 is b\.dcm\)$"):
        require_usable(answers, FILES, "fail")
    with pytest.raises(RequestError, match="no file of this study could be used") as caught:
        require_usable([answers[1]] * 2, FILES[:2], "skip")
    assert caught.value.paths == tuple(FILES[:2])


def test_only_refusals_of_the_file_become_its_status() -> None:
    text = "in ensemble 'panecho', no file of this request could be used: video_sizes[0]: NOT_A_VIDEO: it is a text"
    assert refused_status(RequestError(text)) == "NOT_A_VIDEO: it is a text"
    assert refused_status(RequestError("in ensemble 'panecho', num_clips=99: must be from 1 to 32")) is None


@pytest.mark.parametrize(
    ("sizes", "num_clips", "alone"),
    [
        ([10] * 4, 4, True),
        ([10] * 5, 4, False),
        ([10] * 4, 8, True),
        ([10] * 4, 9, False),
        ([2**25], 32, True),
        ([2**24, 2**24 + 1], 4, False),
    ],
)
def test_small_studies_take_one_request(sizes: list[int], num_clips: int, *, alone: bool) -> None:
    assert in_one_request("auto", sizes, num_clips) == alone
    assert in_one_request("whole-study", sizes, num_clips)
    assert not in_one_request("per-video", sizes, num_clips)


def test_other_weights_half_way_are_refused(description: Description) -> None:
    first: Weights = description.weights
    require_same_weights(first, replace(first))
    with pytest.raises(ServerError, match="from stand-in 0 to other during this study") as caught:
        require_same_weights(first, replace(first, name="other"))
    assert caught.value.code == "ABORTED"


def test_parameters_are_what_triton_takes() -> None:
    parameters = ClipOptions(frame_rate=12.5).parameters("skip")
    assert parameters["frame_rate"] == "12.5"
    assert "frame_rate" not in ClipOptions().parameters("skip")
    assert all(isinstance(value, int | str) for value in parameters.values())


def test_a_status_with_a_note_is_of_a_video_that_counts(
    description: Description, outputs: dict[str, NDArray[np.generic]], answers: list[VideoAnswer]
) -> None:
    note = "ok: 21 frames per second; the published preparation leaves out those under 25"
    noted = [replace(answers[0], status=note), *answers[1:]]
    assert gathered(noted)["clip_video"].tolist() == [0, 0, 2]
    require_usable([noted[0], noted[2]], [Path("a"), Path("b")], "fail")
    outputs = outputs | {"video_status": np.array([note.encode(), b"EMPTY_FILE: no bytes"], np.object_)}
    files = [Path("a.dcm"), Path("b.dcm")]
    study = build_study(outputs, description.tasks, files, weights=description.weights, parameters={})
    assert (study.videos[0].ok, study.videos[0].status) == (True, note)
    assert study.videos[0].predictions
    assert study.skipped == study.videos[1:]
