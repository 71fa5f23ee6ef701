"""What `import panecho_client` gives, and what it costs."""

import subprocess
import sys

import pytest

import panecho_client
import panecho_client.outputs

EXPORTED = [
    "AsyncPanEcho",
    "ClipOptions",
    "Connection",
    "DeadlineExceededError",
    "FilesError",
    "FoundFiles",
    "IncompatibleServerError",
    "LeftOut",
    "Manifest",
    "NoUsableVideoError",
    "PanEcho",
    "PanEchoError",
    "Parity",
    "Prediction",
    "RequestError",
    "Retry",
    "ServerBusyError",
    "ServerError",
    "ServerUnavailableError",
    "StudyResult",
    "Task",
    "Tls",
    "UnknownTaskError",
    "VideoResult",
    "Weights",
    "find_files",
]


def test_exported_names_are_exactly_these() -> None:
    assert sorted(panecho_client.__all__) == EXPORTED
    assert all(hasattr(panecho_client, name) for name in EXPORTED)


def test_public_names_are_documented() -> None:
    assert [name for name in EXPORTED if not getattr(panecho_client, name).__doc__] == []


@pytest.mark.parametrize("package", ["panecho_client", "panecho_client.outputs"])
def test_import_needs_nothing_heavy(package: str) -> None:
    heavy = {
        "aiohttp",
        "asyncio",
        "cv2",
        "cyclopts",
        "numpy",
        "pydicom",
        "rich",
        "tenacity",
        "timm",
        "torch",
        "tritonclient",
    }
    assert modules_after(f"import {package}") & heavy == set()


def test_names_that_are_loaded_later() -> None:
    assert dir(panecho_client) == sorted(panecho_client.__all__)
    assert dir(panecho_client.outputs) == sorted(panecho_client.outputs.__all__)
    assert all(hasattr(panecho_client.outputs, name) for name in panecho_client.outputs.__all__)
    with pytest.raises(AttributeError, match="module 'panecho_client' has no attribute 'Panecho'"):
        panecho_client.Panecho  # type: ignore[attr-defined]  # noqa: B018 - what is tested


def test_everything_public_works_without_the_extra_for_the_command() -> None:
    code = (
        "import sys; sys.modules.update(cyclopts=None, rich=None);"
        "import panecho_client.triton, panecho_client.outputs.sr_content, panecho_client.outputs.study_files;"
        "from panecho_client import *; from panecho_client.outputs import *; from panecho_client.sources import *"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


def modules_after(code: str) -> set[str]:
    """Packages that a new interpreter has imported."""
    code = f"import sys; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
