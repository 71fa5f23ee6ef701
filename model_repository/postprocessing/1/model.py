"""Triton adapter of ``aggregation``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from aggregation import Clips, InvalidClipsError, predict, read_heads


class TritonPythonModel:
    """Turns the logits of a request's clips into the outputs it asks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the tasks; say in the log what is served."""
        self.heads = read_heads(Path(__file__).with_name("tasks.json"))
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        manifest = json.loads(config["parameters"]["manifest"]["string_value"])
        pb_utils.Logger.log_warn(f"{manifest['weights']['notice']} Precision: {manifest['precision']}.")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:  # noqa: ANN401 - Triton's request and response classes are not typed
        inputs = {name: _input(request, name) for name in self.inputs}
        inputs.setdefault("logits", np.empty((len(inputs["clip_embedding"]), 0), np.float32))  # without heads
        requested = set(request.requested_output_names())
        handed_through = {"clip_logits": "logits", "clip_video": "clip_video", "video_status": "video_status"}
        try:
            statuses = [status.decode() for status in inputs["video_status"]]
            outputs = predict(self.heads, Clips(**inputs | {"video_status": statuses}), requested)
        except InvalidClipsError as error:
            return _error(str(error), pb_utils.TritonError.INVALID_ARG)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's error and no other's
            return _error(f"postprocessing failed: {type(error).__name__}", pb_utils.TritonError.INTERNAL)
        outputs |= {name: inputs[source] for name, source in handed_through.items() if name in requested}
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def _input(request: Any, name: str) -> Any:  # noqa: ANN401 - as above
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _error(message: str, code: int) -> Any:  # noqa: ANN401 - as above
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
