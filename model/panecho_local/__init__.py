"""The whole pipeline in one process, without a server: files or frames in, a study's predictions out.

It calls the same preprocessing, model and aggregation that a server runs, and gives the same numbers.

Example:
    >>> from panecho_local import predict_files
    >>> predict_files("study/", checkpoint="panecho.pt")["EF"].value
    58.3
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from panecho_local.frames import clips_of_frames, normalised_clips
    from panecho_local.loading import load_pipeline
    from panecho_local.pipeline import Pipeline
    from panecho_local.predict import open_local, predict_files, predict_frames
    from panecho_local.transport import LocalTransport

__all__ = [
    "LocalTransport",
    "Pipeline",
    "clips_of_frames",
    "load_pipeline",
    "normalised_clips",
    "open_local",
    "predict_files",
    "predict_frames",
]

_MODULES = {
    "LocalTransport": "transport",
    "Pipeline": "pipeline",
    "clips_of_frames": "frames",
    "load_pipeline": "loading",
    "normalised_clips": "frames",
    "open_local": "predict",
    "predict_files": "predict",
    "predict_frames": "predict",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import what is asked for: PyTorch takes seconds."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
