"""The pipeline in one process gives what a server gives, through the same client."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from panecho_client import ClipOptions, PanEcho, RequestError, ServerError, StudyResult
from panecho_local import clips_of_frames, load_pipeline, normalised_clips, open_local, predict_files, predict_frames
from panecho_local.backbone import Backbone
from panecho_model.errors import CheckpointError, InputError, TaskError
from panecho_preprocessing import ClipOptions as ServerClipOptions
from panecho_preprocessing import preprocess_study
from panecho_server import TritonServer
from support.reading import frames_of

QUICK = ClipOptions(num_clips=2, clip_length=8)


@pytest.fixture(scope="module")
def local() -> Iterator[PanEcho]:
    with open_local(stand_in=0, precision="fp32", device="cpu") as panecho:
        yield panecho


@pytest.fixture(scope="module")
def files(cine: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    notes = tmp_path_factory.mktemp("study") / "notes.txt"
    notes.write_text("no video")
    return [cine, notes, cine.parent / "sonosite_h264.mp4"]


def assert_same(one: StudyResult, other: StudyResult) -> None:
    assert [video.status for video in one.videos] == [video.status for video in other.videos]
    assert list(one.predictions) == list(other.predictions)
    for name, prediction in one.predictions.items():
        expected = other.predictions[name]
        np.testing.assert_allclose(
            [prediction.value, *prediction.probabilities.values()] if prediction.probabilities else prediction.value,
            [expected.value, *expected.probabilities.values()] if expected.probabilities else expected.value,
            rtol=1e-4,
            atol=1e-4,
            err_msg=name,
        )


@pytest.mark.parametrize("batching", ["whole-study", "per-video"])
def test_a_study_has_the_numbers_of_a_server(
    server: TritonServer, local: PanEcho, files: list[Path], batching: str
) -> None:
    with PanEcho(server.grpc_url) as served:
        expected = served.predict_study(files, clip_options=QUICK)
    assert_same(local.predict_study(files, clip_options=QUICK, batching=batching), expected)  # type: ignore[arg-type]  # one of them


def test_embeddings_are_those_of_a_server(server: TritonServer, local: PanEcho, cine: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (2, 224, 224, 3), dtype=np.uint8)
    with PanEcho(server.grpc_url) as served:
        video, image = served.embed(cine, clip_options=QUICK)[cine], served.embed_frames(frames)
    assert isinstance(video, np.ndarray)
    own = local.embed(cine, clip_options=QUICK)[cine]
    assert isinstance(own, np.ndarray)
    np.testing.assert_allclose(own, video, atol=1e-4)
    np.testing.assert_allclose(local.embed_frames(frames), image, atol=1e-4)


def test_refusals_are_those_of_a_server(server: TritonServer, local: PanEcho, files: list[Path]) -> None:
    texts = []
    with PanEcho(server.grpc_url) as served:
        for panecho in (served, local):
            with pytest.raises(RequestError) as refused:
                panecho.predict_study(files[1])
            with pytest.raises(RequestError) as strict:
                panecho.predict_study(files, on_error="fail")
            texts.append([str(error.value).removeprefix("in ensemble 'panecho', ") for error in (refused, strict)])
    assert texts[0] == texts[1]


def test_fewer_tasks_and_one_call(cine: Path) -> None:
    study = predict_files(cine, stand_in=0, tasks=["EF", "AVStenosis"], clip_options=QUICK)
    assert list(study.predictions) == ["EF", "AVStenosis"]
    assert study.weights.stand_in


def test_a_checkpoint_is_named_by_its_hash(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "panecho.pt")
    with open_local(tmp_path / "panecho.pt") as panecho:
        assert panecho.weights.name == "panecho.pt"
        assert len(panecho.weights.sha256 or "") == 64


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="checkpoint and stand_in are both given"):
        load_pipeline(tmp_path, stand_in=0)
    with pytest.raises(CheckpointError, match="no such file"):
        load_pipeline(tmp_path / "none.pt")
    with pytest.raises(TaskError, match="did you mean EF"):
        load_pipeline(stand_in=0, tasks=["ef"])
    for device in ("cuda:99", "abacus"):
        with pytest.raises(InputError, match=f"device '{device}' cannot be used"):
            load_pipeline(stand_in=0, device=device)


def test_decoded_frames_give_the_file_s_numbers(local: PanEcho, cine: Path) -> None:
    """The frames of a file, given as arrays, make the clips that the file makes."""
    options = ServerClipOptions(num_clips=2, clip_length=8, framing="whole")
    content = np.frombuffer(cine.read_bytes(), np.uint8)
    whole = ServerClipOptions(num_clips=1, clip_length=30, framing="whole")
    clips = preprocess_study(content, np.array([len(content)]), options, max_clips=2).clips
    frames = preprocess_study(content, np.array([len(content)]), whole, max_clips=1).clips[0]
    grey = np.pad(frames[..., 0], ((0, 0), (16, 16), (16, 16)))  # 256 x 256: neither resized nor cropped
    made = clips_of_frames(grey, options=options)
    np.testing.assert_array_equal(made[..., 0], clips[..., 0])
    by_frames = predict_frames(grey, local, options=options)
    assert_same(by_frames, local.predict_clips(made))


def test_channels_are_turned_to_the_model_s_order() -> None:
    colour = np.zeros((3, 256, 256, 3), np.uint8)
    colour[..., 0] = 200  # red
    options = ServerClipOptions(num_clips=1, clip_length=4)
    assert clips_of_frames(colour, options=options)[0, 3, 5, 5].tolist() == [0, 0, 200]
    assert clips_of_frames(colour, options=options, channel_order="BGR")[0, 0, 5, 5].tolist() == [200, 0, 0]
    normalised = normalised_clips(colour, options=options)
    assert normalised.shape == (1, 3, 4, 224, 224)
    assert float(normalised[0, 2, 0, 5, 5]) == pytest.approx((200 / 255 - 0.406) / 0.225, abs=1e-5)


def test_frames_are_framed_as_asked(cine: Path) -> None:
    """The sector is found in the frames; the file's header adds nothing to it."""
    content = np.frombuffer(cine.read_bytes(), np.uint8)
    frames = np.stack(frames_of(content.tobytes()))
    for options in (
        ServerClipOptions(num_clips=2, clip_length=4, framing="masked", max_frames=20),
        ServerClipOptions(num_clips=2, clip_length=4, framing="published"),
    ):
        clips = preprocess_study(content, np.array([len(content)]), options, max_clips=2).clips
        np.testing.assert_array_equal(clips_of_frames(frames, options=options, channel_order="BGR"), clips)


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 3), np.uint8), np.zeros((2, 8, 8)), np.zeros((0, 8, 8), np.uint8), np.zeros((1, 8, 8, 4))]
)
def test_frames_of_another_kind_are_refused(frames: np.ndarray) -> None:  # type: ignore[type-arg]  # of any type
    with pytest.raises(InputError, match=r"frames are (uint8|float64) \[[\d, ]+\]; give uint8"):
        clips_of_frames(frames)


class Counting(nn.Module):
    """Answers the mean of each clip, and notes how many clips came together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        self.batches.append(len(clips))
        self.begun.set()
        assert self.go_on.wait(30)
        if int(clips.max()) == 99:
            raise RuntimeError("damaged")
        return (clips.float().mean(dim=(1, 2, 3, 4))[:, None],)


def test_clips_that_wait_are_computed_together() -> None:
    module = Counting()
    with Backbone(module, torch.device("cpu"), max_batch_size=4) as backbone:
        answers: dict[int, float] = {}

        def run(value: int, rows: int, length: int = 1) -> None:
            answers[value] = float(backbone.run(np.full((rows, length, 2, 2, 3), value, np.uint8))[0][0, 0])

        threads = [threading.Thread(target=run, args=(1, 1))]
        threads[0].start()
        assert module.begun.wait(30)
        for arguments in ((2, 2), (3, 2), (4, 3), (5, 1, 2)):
            threads.append(threading.Thread(target=run, args=arguments))
            threads[-1].start()
            while backbone._jobs.qsize() < len(threads) - 1:  # noqa: SLF001 - one after another
                pass
        module.go_on.set()
        for thread in threads:
            thread.join(30)
    assert answers == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert module.batches == [1, 4, 3, 1]


def test_a_module_that_fails_fails_its_callers_alone() -> None:
    module = Counting()
    module.go_on.set()
    with Backbone(module, torch.device("cpu"), max_batch_size=4) as backbone:
        with pytest.raises(RuntimeError, match="damaged"):
            backbone.run(np.full((1, 1, 2, 2, 3), 99, np.uint8))
        assert backbone.run(np.full((1, 1, 2, 2, 3), 5, np.uint8))[0].tolist() == [[5]]


def test_a_failed_model_is_one_sentence(local: PanEcho, monkeypatch: pytest.MonkeyPatch, cine: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nstack")

    monkeypatch.setattr(Backbone, "run", fail)
    with pytest.raises(ServerError, match=r"^the model failed in this process: RuntimeError: out of memory\.$"):
        local.predict_study(cine, clip_options=QUICK)
