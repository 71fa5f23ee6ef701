"""What `import panecho_client` gives, and what it costs."""

import subprocess
import sys

import panecho_client

EXPORTED = [
    "AsyncPanEcho",
    "Connection",
    "DeadlineExceededError",
    "FilesError",
    "FoundFiles",
    "IncompatibleServerError",
    "LeftOut",
    "Manifest",
    "PanEcho",
    "PanEchoError",
    "Parity",
    "Prediction",
    "RequestError",
    "Retry",
    "ClipOptions",
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


def test_import_needs_nothing_heavy() -> None:
    code = "import sys, panecho_client.cli; print(*{'torch', 'cv2', 'pydicom', 'timm'} & set(sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""
