"""What ``panecho predict --local`` uses instead of a server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_model.errors import ModelError

if TYPE_CHECKING:
    from panecho_local.transport import LocalTransport
    from panecho_model.constants import Precision


def open_transport(
    checkpoint: Path | None, *, stand_in: int | None, device: str | None, precision: "Precision | None"
) -> "LocalTransport":
    """Return a pipeline in the place of a server.

    Raises:
        SystemExit: The weights cannot be loaded; the text says why.
    """
    # Threads that wait for each other leave the cores to decoding. OpenMP reads this when PyTorch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from panecho_local.loading import load_pipeline  # noqa: PLC0415 - PyTorch takes seconds to import
    from panecho_local.transport import LocalTransport  # noqa: PLC0415 - as above

    try:
        return LocalTransport(load_pipeline(checkpoint, stand_in=stand_in, device=device, precision=precision))
    except ModelError as error:
        raise SystemExit(str(error)) from error
