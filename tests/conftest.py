"""One exported repository and one real server for all tests."""

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# PyTorch's threads sleep while they wait for each other, here and in what tests start: OpenMP's default keeps their
# cores busy, and servers then go without. PyTorch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Each of several jobs computes in one thread: with one per core each, jobs hinder each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from panecho_export.repository import export_stand_in
from panecho_server import ServerSettings, TritonServer
from support.exports import one_clip_compared
from support.serve import running_server
from support.small_models import SMALL_MODELS, add_small_models

pytest_plugins = ["support.client_fixtures", "support.reference_model", "support.scanned_orthanc"]

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PANECHO_SHARED_DATA", ROOT.parent / "shared" / "data"))

# A shell starts background jobs with SIGINT ignored, and their children inherit that; tests send it to our commands.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _gradients_stay_on() -> Iterator[None]:
    """A test that leaves PyTorch without gradients would fail tests of the training that run after it."""
    yield
    torch = sys.modules.get("torch")
    assert torch is None or torch.is_grad_enabled()


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with stand-in weights of seed 0, and the small models of the backend's own tests.

    Jobs that run at a time (``pytest -n``) share it: the first one makes it.
    """
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    target = shared / "model_repository"
    with (shared / "model_repository.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            new = shared / "model_repository.new"
            with one_clip_compared():
                export_stand_in(0, new)
            add_small_models(new)
            new.rename(target)
    return target


@pytest.fixture(scope="session")
def cold_repository(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without warm-up, for tests that start servers of their own."""
    target = tmp_path_factory.mktemp("cold_repository")
    shutil.copytree(repository, target, dirs_exist_ok=True, copy_function=os.link)
    config = target / "backbone/config.pbtxt"
    text = config.read_text()
    config.unlink()
    config.write_text(text.partition("model_warmup")[0])
    return target


@pytest.fixture(scope="session")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A real tritonserver on free ports."""
    log_file = tmp_path_factory.mktemp("log") / "tritonserver.log"
    settings = ServerSettings(
        model_repository=repository,
        load=SMALL_MODELS,
        model_control=True,
        shared_memory=True,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=log_file,
    )
    with running_server(settings) as running:
        yield running


@pytest.fixture(scope="session")
def cine() -> Path:
    """A real apical four-chamber cine: 30 frames, JPEG baseline."""
    return ROOT / "tests/data/sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Files that may not be copied into the repository; skips the test where the folder is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs files that may not be redistributed, and there is no folder {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    """Read one of those files; a file missing from the folder is an error."""
    return lambda name: (request.getfixturevalue("shared_folder") / name).read_bytes()
