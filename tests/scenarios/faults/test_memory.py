"""Little memory, as in a small container: clips that would not fit are not begun, and nobody is killed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from panecho_client import ClipOptions, Connection, PanEcho
from support.memory_groups import MemoryGroup, memory_group
from support.serve import Serve, running_serve
from support.wire import infer_study

pytestmark = [pytest.mark.slow, pytest.mark.long]

CALLERS = 6
CLIPS = 16
CLIP_BYTES = CLIPS * 16 * 224 * 224 * 3
ROOM = 20 * CLIP_BYTES


@pytest.fixture(scope="module")
def group() -> Iterator[MemoryGroup]:
    with ExitStack() as opened:
        try:
            made = opened.enter_context(memory_group())
        except OSError as error:
            pytest.skip(f"needs the right to limit memory: {error}")
        yield made


@pytest.fixture(scope="module")
def small(
    group: MemoryGroup, cine: Path, cold_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    """A server with room for few such requests at once; what it keeps from the first is not part of that."""
    with running_serve(cold_repository, tmp_path_factory.mktemp("small"), prefix=group.prefix) as served:
        for _ in range(2):
            predict(served, cine)
        group.leave(ROOM)
        yield served


def predict(served: Serve, cine: Path) -> float:
    with PanEcho(Connection(url=served.grpc_url(), timeout=120)) as panecho:
        return panecho.predict_study(cine, clip_options=ClipOptions(num_clips=CLIPS))["EF"].value


def test_callers_come_by_turns_where_memory_is_short(
    small: Serve, cine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = predict(small, cine)
    with ThreadPoolExecutor(CALLERS) as pool:
        values = list(pool.map(lambda _: predict(small, cine), range(CALLERS)))
    assert values == pytest.approx([expected] * CALLERS, abs=1e-4)
    assert (
        "takes no more requests now (in ensemble 'panecho', short of memory: clips of this request may" in caplog.text
    )
    assert "starting the server again" not in small.output.read_text()


def test_what_never_fits_is_refused_with_the_numbers(small: Serve, cine: Path) -> None:
    with triton.InferenceServerClient(small.grpc_url()) as client:
        with pytest.raises(InferenceServerException) as refused:
            infer_study(client, triton, [cine.read_bytes()] * 8, ["EF"], {"num_clips": CLIPS, "clip_length": 16})
        assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"
        text = refused.value.message()
        assert "clips of this request may be 294 MiB, which needs 4704 MiB, and the server's memory is " in text
        infer_study(client, triton, [cine.read_bytes()], ["EF"], {"num_clips": 1, "clip_length": 1})
