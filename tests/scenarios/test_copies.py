"""A video that lies in a study under several names counts once, however the study is sent."""

from pathlib import Path
from typing import Literal

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from panecho_client import ClipOptions, PanEcho
from panecho_server import TritonServer

QUICK = ClipOptions(num_clips=1, clip_length=2)


@pytest.mark.parametrize("batching", ["whole-study", "per-video"])
def test_the_same_video_under_two_names_counts_once(
    server: TritonServer, cine: Path, tmp_path: Path, batching: Literal["whole-study", "per-video"]
) -> None:
    copy = dcmread(cine)
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()  # the same pixels, sent again
    copy.save_as(tmp_path / "copy.dcm")
    files = [cine, cine.parent / "sonosite_h264.mp4", tmp_path / "copy.dcm"]
    with PanEcho(server.grpc_url) as panecho:
        study = panecho.predict_study(files, tasks="EF", clip_options=QUICK, batching=batching)
        once = panecho.predict_study(files[:2], tasks="EF", clip_options=QUICK, batching=batching)
    assert [video.status for video in study.videos] == [
        "ok",
        "ok",
        "DUPLICATE: the same video as video_sizes[0]; it counts once",
    ]
    assert study["EF"].value == pytest.approx(once["EF"].value, abs=1e-4)
