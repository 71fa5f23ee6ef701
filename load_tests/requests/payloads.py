"""What is sent: the requests of each scenario, made before the test so that making them is not timed."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from load_tests.requests.errors import LoadTestError

DATA = Path(__file__).parents[2] / "tests" / "data"
SUFFIXES = (".dcm", ".mp4", ".avi", ".ts", ".mpeg", ".mpg", "")
"""Of files that are taken from a folder; DICOM files often have none."""

STUDY_REPEATS = (1, 2, 4, 1, 8, 2, 4, 1)
"""Times that the 30 frames of the sample cine are repeated in the cines of the made-up study: 0.2 to 1.6 MB each."""

OUTPUTS = ("EF", "AVStenosis", "LVEDV", "embedding", "video_status")
"""Of a study or video: some tasks, what tells videos apart (to compare answers), and each file's status."""

FRAME_SIZE = 224
CLIP_LENGTH = 16
TASK_LOGITS = 58
FEATURES = 768
INVALID_ARGUMENT = "INVALID_ARGUMENT"


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One request.

    Attributes:
        model: To which.
        inputs: Its tensors by name.
        outputs: Names of what it asks for.
        parameters: Request parameters.
        statuses: Codes that ``video_status`` must begin with, file by file; empty: there is no such output.
        refusal: A code that the refusal must name, for a request that must be refused; empty: it must be answered.
        weight: How often it is sent, among the others of its scenario.
    """

    model: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]
    parameters: Mapping[str, int | str]
    statuses: tuple[str, ...] = ()
    refusal: str = ""
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What the options say of payloads.

    Attributes:
        data: Folder of files to send; each folder in it is a study. Without one, the sample cines of the tests are.
        num_clips: Clips of each video.
        clip_length: Frames of each clip.
        bad_ratio: Part of the requests of ``Mixed`` that hold an unusable file.
    """

    data: Path | None = None
    num_clips: int = 1
    clip_length: int = CLIP_LENGTH
    bad_ratio: float = 0.1


Payloads: TypeAlias = Callable[[Sending], Sequence[Payload]]


def single_video(sending: Sending) -> list[Payload]:
    """Return a request for each video."""
    return [_study([file], sending) for file in _videos(sending)]


def whole_study(sending: Sending) -> list[Payload]:
    """Return a request for each study, all its videos in it."""
    if sending.data is None:
        return [_study(files, sending, statuses=("ok",) * len(files)) for files in _studies(sending)]
    return [_study(files, sending) for files in _studies(sending)]


def embeddings(sending: Sending) -> list[Payload]:
    """Return a request for each video that asks for its embedding alone."""
    return [_study([file], sending, outputs=("embedding", "video_status")) for file in _videos(sending)]


def clips(sending: Sending) -> list[Payload]:
    """Return requests to the backbone itself, with clips of the caller's own preprocessing (here: noise)."""
    shape = (sending.num_clips, sending.clip_length, FRAME_SIZE, FRAME_SIZE, 3)
    noise = [np.random.default_rng(seed).integers(0, 256, shape, np.uint8) for seed in range(2)]
    return [
        Payload(model="backbone", inputs={"clips": array}, outputs=("logits", "clip_embedding"), parameters={})
        for array in noise
    ]


def aggregation(sending: Sending) -> list[Payload]:
    """Return a request to postprocessing itself: logits that were gathered from a large study's parts."""
    random = np.random.default_rng(0)
    inputs = {
        "logits": random.standard_normal((sending.num_clips, TASK_LOGITS), np.float32),
        "clip_embedding": random.standard_normal((sending.num_clips, FEATURES), np.float32),
        "clip_video": np.zeros(sending.num_clips, np.int32),
        "video_status": np.array([b"ok"], np.object_),
    }
    return [Payload(model="postprocessing", inputs=inputs, outputs=OUTPUTS, parameters={}, statuses=("ok",))]


def mixed(sending: Sending) -> list[Payload]:
    """Return requests of good videos, and some with files that cannot be used, alone or with a good one."""
    good = single_video(sending)
    video, bad = _videos(sending)[0], _bad_files()
    alone = [_study([file], sending, refusal=code) for code, file in bad.items()]
    together = [_study([video, *bad.values()], sending, statuses=("ok", *bad))]
    return [
        *_weighted(good, 1 - sending.bad_ratio),
        *_weighted(alone, sending.bad_ratio / 2),
        *_weighted(together, sending.bad_ratio / 2),
    ]


def _weighted(payloads: Sequence[Payload], weight: float) -> list[Payload]:
    return [Payload(**(vars(payload) | {"weight": weight / len(payloads)})) for payload in payloads]


def _study(
    files: Sequence[bytes],
    sending: Sending,
    *,
    outputs: tuple[str, ...] = OUTPUTS,
    statuses: tuple[str, ...] = (),
    refusal: str = "",
) -> Payload:
    return Payload(
        model="panecho",
        inputs={
            "video_bytes": np.frombuffer(b"".join(files), np.uint8),
            "video_sizes": np.array([len(file) for file in files], np.int64),
        },
        outputs=outputs,
        parameters={"num_clips": sending.num_clips, "clip_length": sending.clip_length},
        statuses=statuses,
        refusal=refusal,
    )


def _videos(sending: Sending) -> list[bytes]:
    if sending.data is None:
        return [path.read_bytes() for path in _files(DATA)]
    return [file for study in _studies(sending) for file in study]


def _studies(sending: Sending) -> list[list[bytes]]:
    if sending.data is None:
        cine = next(path for path in _files(DATA) if path.suffix == ".dcm").read_bytes()
        return [[lengthened(cine, times, first) for first, times in enumerate(STUDY_REPEATS)]]
    folders = [sending.data, *sorted(path for path in sending.data.rglob("*") if path.is_dir())]
    studies = [[path.read_bytes() for path in _files(folder, empty=True)] for folder in folders]
    found = [study for study in studies if study]
    if not found:
        raise LoadTestError(f"{sending.data}: no file there ends in {', '.join(filter(None, SUFFIXES))}.")
    return found


def _files(folder: Path, *, empty: bool = False) -> list[Path]:
    if not folder.is_dir():
        raise LoadTestError(f"{folder}: no such folder; give one that holds DICOM, MP4 or AVI files with --data.")
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)
    if not files and not empty:
        raise LoadTestError(f"{folder}: holds no DICOM, MP4 or AVI file; give a folder that does with --data.")
    return files


def _bad_files() -> dict[str, bytes]:
    """Return unusable files by the code of their status."""
    cine = next(path for path in _files(DATA) if path.suffix == ".dcm").read_bytes()
    return {"EMPTY_FILE": b"", "NOT_A_VIDEO": b"Not a video. " * 100, "NO_PIXEL_DATA": cine[:1500]}


def lengthened(cine: bytes, times: int, first: int = 0) -> bytes:
    """Return a DICOM cine of JPEG frames with all of them repeated: as large and as long as later exams' cines are.

    Args:
        cine: The file.
        times: How often all frames are repeated.
        first: The frame to begin with. Cines that begin with another frame are other videos, each with another UID.
    """
    from pydicom import dcmread  # noqa: PLC0415 - needed by this scenario alone
    from pydicom.encaps import encapsulate, generate_frames  # noqa: PLC0415 - as above
    from pydicom.uid import UID  # noqa: PLC0415 - as above

    file = dcmread(io.BytesIO(cine))
    frames = list(generate_frames(file.PixelData, number_of_frames=int(file.NumberOfFrames)))
    frames = [*frames[first:], *frames[:first]] * times
    file.NumberOfFrames, file.PixelData = len(frames), encapsulate(frames)
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.{1000 * times + first}")
    buffer = io.BytesIO()
    file.save_as(buffer)
    return buffer.getvalue()
