"""Triton adapter of ``aggregation``."""

import json
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from aggregation import Clips, InvalidClipsError, predict, read_heads


class TritonPythonModel:
    """Turns the logits of a request's clips into the outputs it asks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the tasks; say in the log whose weights are served."""
        self.heads = read_heads(Path(__file__).with_name("tasks.json"))
        parameters = json.loads(args["model_config"])["parameters"]
        pb_utils.Logger.log_warn(json.loads(parameters["weights"]["string_value"])["notice"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:  # noqa: ANN401 - Triton's request and response classes are not typed
        inputs = {name: _input(request, name) for name in ("logits", "clip_embedding", "clip_video", "video_status")}
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
