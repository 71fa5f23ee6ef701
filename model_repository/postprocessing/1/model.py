"""Triton adapter of ``aggregation``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from panecho_postprocessing.aggregation import (
    MODEL_FAILED,
    InvalidClipsError,
    predict,
    read_clips,
    read_heads,
    unusable_rows,
)


class TritonPythonModel:
    """Turns the logits of a request's clips into the outputs it asks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the tasks; say in the log what is served."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        widths = {tensor["name"]: int(tensor["dims"][-1]) for tensor in config["input"]}
        self.heads = read_heads(Path(__file__).with_name("tasks.json"), widths.get("logits", 0))
        manifest = json.loads(config["parameters"]["manifest"]["string_value"])
        pb_utils.Logger.log_warn(f"{manifest['weights']['notice']} Precision: {manifest['precision']}.")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request separately."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:  # noqa: ANN401 - Triton's request and response classes are not typed
        inputs = {name: _input(request, name) for name in self.inputs}
        requested = set(request.requested_output_names())
        try:
            clips = read_clips(inputs)
            usable = clips.finite()
            rows = unusable_rows(json.loads(request.parameters()))
            outputs: dict[str, Any] = dict(predict(self.heads, usable, requested, unusable=rows))
        except InvalidClipsError as error:
            return _error(str(error), pb_utils.TritonError.INVALID_ARG)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's error and no other's
            return _error(f"postprocessing failed: {type(error).__name__}", pb_utils.TritonError.INTERNAL)
        if usable is not clips:
            pb_utils.Logger.log_error(MODEL_FAILED)
        status = np.array([text.encode() for text in usable.video_status], np.object_)
        handed_through = {"clip_logits": clips.logits, "clip_video": clips.clip_video, "video_status": status}
        outputs |= {name: array for name, array in handed_through.items() if name in requested}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def _input(request: Any, name: str) -> Any:  # noqa: ANN401 - as above
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _error(message: str, code: int) -> Any:  # noqa: ANN401 - as above
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
