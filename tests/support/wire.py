"""A study through the ensemble with nothing but tritonclient: what any caller could write."""

from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]
QUICK: dict[str, int | str] = {"num_clips": 1, "clip_length": 4}
"""Parameters for tests in which the numbers do not matter: a quarter of a clip per video."""


def study_inputs(module: ModuleType, files: Sequence[bytes]) -> list[object]:
    """Return the inputs for ``tritonclient.grpc`` or ``tritonclient.http``."""
    data = np.frombuffer(b"".join(files), np.uint8)
    sizes = np.array([len(file) for file in files], np.int64)
    inputs = []
    for name, array, data_type in (("video_bytes", data, "UINT8"), ("video_sizes", sizes, "INT64")):
        tensor = module.InferInput(name, list(array.shape), data_type)
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    return inputs


def infer_study(
    client: object,
    module: ModuleType,
    files: Sequence[bytes],
    outputs: Sequence[str] = (),
    parameters: Mapping[str, int | str] | None = None,
) -> Arrays:
    """Return every output that the server answers with, by name; all outputs unless some are named."""
    requested = [module.InferRequestedOutput(name) for name in outputs] or None
    result = client.infer(  # type: ignore[attr-defined] # tritonclient's two clients share no type
        "panecho", study_inputs(module, files), outputs=requested, parameters=dict(parameters or {})
    )
    response = result.get_response()
    named = response["outputs"] if isinstance(response, dict) else response.outputs
    names = [output["name"] if isinstance(output, dict) else output.name for output in named]
    return {name: result.as_numpy(name) for name in names}
