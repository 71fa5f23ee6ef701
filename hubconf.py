"""``torch.hub.load(REPOSITORY, "PanEcho", source="local")``: the published call, from a checkout of this repository."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("panecho_model") is None:
    sys.path.insert(0, str(Path(__file__).parent / "model"))

from panecho_model.hub import PanEcho

__all__ = ["PanEcho", "dependencies"]

dependencies = ["safetensors", "timm", "torch"]
