"""What is sent, and how its answers are judged."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.load_generator.perf_analyzer.__main__ import command, input_data
from load_tests.requests.answers import difference
from load_tests.requests.errors import LoadTestError
from load_tests.requests.outcomes import BUSY, RefusedError
from load_tests.requests.payloads import Sending, aggregation, clips, embeddings, mixed, single_video, whole_study
from load_tests.requests.prepared import judge_refusal

from panecho_client._transport.errors import BUSY as BUSY_OF_CLIENT
from panecho_preprocessing import ClipOptions, preprocess_study


def test_every_scenario_has_requests() -> None:
    sending = Sending(num_clips=2, clip_length=4)
    assert len(single_video(sending)) == 4
    assert [payload.outputs for payload in embeddings(sending)] == [("embedding", "video_status")] * 4
    assert clips(sending)[0].inputs["clips"].shape == (2, 4, 224, 224, 3)
    assert aggregation(sending)[0].inputs["logits"].shape == (2, 58)
    assert single_video(sending)[0].parameters == {"num_clips": 2, "clip_length": 4}


def test_a_study_holds_cines_of_many_sizes() -> None:
    (study,) = whole_study(Sending())
    sizes = study.inputs["video_sizes"]
    assert len(sizes) == 8
    assert sizes.sum() == len(study.inputs["video_bytes"])
    assert [round(size / 1e5) for size in sizes] == [2, 4, 8, 2, 16, 4, 8, 2]


def test_every_cine_of_a_study_counts() -> None:
    (study,) = whole_study(Sending(clip_length=2))
    options = ClipOptions(num_clips=1, clip_length=2)
    read = preprocess_study(study.inputs["video_bytes"], study.inputs["video_sizes"], options, max_clips=8)
    assert tuple(read.video_status) == study.statuses == ("ok",) * 8


def test_a_part_of_the_mixed_requests_is_bad_and_says_what_is_expected() -> None:
    payloads = mixed(Sending(bad_ratio=0.2))
    bad = [payload for payload in payloads if payload.refusal or payload.statuses]
    assert sum(payload.weight for payload in payloads) == pytest.approx(1.0)
    assert sum(payload.weight for payload in bad) == pytest.approx(0.2)
    assert {payload.refusal for payload in payloads} == {"", "EMPTY_FILE", "NOT_A_VIDEO", "NO_PIXEL_DATA"}


def test_a_folder_of_studies_is_sent_instead(tmp_path: Path, cine: Path) -> None:
    for study, count in (("a", 1), ("b", 2)):
        (tmp_path / study).mkdir()
        for number in range(count):
            (tmp_path / study / f"{number}.dcm").write_bytes(cine.read_bytes())
    sending = Sending(data=tmp_path)
    assert [len(payload.inputs["video_sizes"]) for payload in whole_study(sending)] == [1, 2]
    assert len(single_video(sending)) == 3


def test_a_folder_without_files_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match=str(tmp_path)):
        single_video(Sending(data=tmp_path))


def test_an_expected_refusal_is_no_error_and_any_other_is() -> None:
    empty = next(payload for payload in mixed(Sending()) if payload.refusal == "EMPTY_FILE")
    right = RefusedError("INVALID_ARGUMENT", "no file can be used: 0: EMPTY_FILE: 0 bytes")
    assert judge_refusal(empty, right) == "refused as expected"
    assert judge_refusal(empty, RefusedError("INVALID_ARGUMENT", "NOT_A_VIDEO")) == "invalid argument"
    assert judge_refusal(empty, RefusedError("INTERNAL", "EMPTY_FILE")) == "internal"
    assert judge_refusal(single_video(Sending())[0], right) == "invalid argument"


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("UNAVAILABLE", "[request id: <id_unknown>] Exceeds maximum queue size", "queue full"),
        ("UNAVAILABLE", "Request timeout expired", "queue full"),
        ("RESOURCE_EXHAUSTED", "", "queue full"),
        ("UNAVAILABLE", "failed to connect", "unavailable"),
        ("DEADLINE_EXCEEDED", "", "deadline exceeded"),
        ("INTERNAL", "it broke", "internal"),
    ],
)
def test_ends_are_counted_by_kind(status: str, text: str, kind: str) -> None:
    assert RefusedError(status, text).kind == kind


def test_the_client_knows_a_full_queue_by_the_same_texts() -> None:
    assert BUSY == BUSY_OF_CLIENT


def test_an_answer_that_differs_is_told() -> None:
    reference = {"embedding": np.ones((2, 3), np.float32), "video_status": np.array([b"ok", b"ok"], np.object_)}
    reference["embedding"][1] = np.nan
    same = {name: array.copy() for name, array in reference.items()}
    same["embedding"][0] += 0.001
    assert difference(same, reference) == ""
    same["embedding"][0, 1] += 0.5
    assert difference(same, reference) == "embedding differs by up to 0.501"
    assert difference({"embedding": reference["embedding"]}, reference) == "video_status is missing"
    wrong = reference | {"video_status": np.array([b"ok", b"EMPTY_FILE"], np.object_)}
    assert difference(wrong, reference) == "video_status says something else"
    assert "shape" in difference(reference | {"embedding": np.ones((1, 3), np.float32)}, reference)


def test_perf_analyzer_gets_the_same_tensors_and_parameters() -> None:
    payloads = single_video(Sending(num_clips=1, clip_length=4))
    data = json.loads(json.dumps(input_data(payloads)))["data"]
    assert len(data) == len(payloads)
    for sent, payload in zip(data, payloads, strict=True):
        for name, array in payload.inputs.items():
            assert base64.b64decode(sent[name]["content"]["b64"]) == array.tobytes()
            assert sent[name]["shape"] == list(array.shape)
    text = command(payloads[0], Path("build/SingleVideo.json"), "localhost:8001", "1:4:1")
    assert "--request-parameter num_clips:1:int" in text
    assert "--request-parameter clip_length:4:int" in text
    assert "perf_analyzer -m panecho -u localhost:8001 -i grpc --input-data /data/SingleVideo.json" in text


def test_perf_analyzer_adds_the_batch_of_the_backbone_itself() -> None:
    (first, _) = input_data(clips(Sending()))["data"]
    assert first["clips"]["shape"] == [16, 224, 224, 3]
