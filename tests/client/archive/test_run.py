"""A run over many studies."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from panecho_client import AsyncPanEcho, ClipOptions, PanEchoError
from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.run import ArchiveRun
from panecho_client._archive.study_source import StudyInFiles
from panecho_client.sources import LocalStudy
from panecho_server import TritonServer

REQUEST = PredictionRequest(
    tasks=["EF"], clip_options=ClipOptions(num_clips=1, clip_length=1), on_error="skip", key_frames=False
)


def test_a_folder_never_holds_results_of_two_weights(server: TritonServer, cine: Path, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "results")

    async def predict() -> None:
        async with AsyncPanEcho(server.grpc_url) as panecho:
            earlier = replace(await panecho.weights(), name="earlier", sha256="0" * 64)
            folder.prepare(resume=False, settings={})
            run = ArchiveRun(panecho=panecho, folder=folder, request=REQUEST, studies_at_a_time=1, weights=earlier)
            await run.predict([StudyInFiles(LocalStudy([cine]))], lambda _: None)

    with pytest.raises(PanEchoError, match=r"the server serves other weights .* \(earlier\); name another folder"):
        asyncio.run(predict())
    assert not [*(folder.path / "studies").iterdir()]
