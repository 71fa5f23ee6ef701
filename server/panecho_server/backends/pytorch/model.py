"""A Python-based Triton backend that serves TorchScript as the native ``pytorch`` backend does.

``1/model.pt`` is called with the inputs in config order and must return a tuple of tensors in config order.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from torch import Tensor


class TritonPythonModel:
    """One instance of a TorchScript model on one device."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model on the instance's device."""
        config = json.loads(args["model_config"])
        on_gpu = args["model_instance_kind"] == "GPU"
        self.device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        if not on_gpu:  # instances on the CPU share its cores
            instances = sum(group["count"] for group in config["instance_group"])
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // instances))
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [(tensor["name"], _dtype(tensor["data_type"])) for tensor in config["output"]]
        path = Path(args["model_repository"]) / args["model_version"] / "model.pt"
        load = torch.jit.load  # noqa: TID251 - what `panecho export` wrote
        self.module = load(path, map_location=self.device).eval()  # type: ignore[no-untyped-call] # torch

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run the requests as one batch, without those refused; if that fails, each alone: none harms another."""
        refusals = [self._refusal(request) for request in requests]
        pending = [request for request, refusal in zip(requests, refusals, strict=True) if refusal is None]
        answers = iter(self._run(pending) if pending else [])
        return [next(answers) if refusal is None else refusal for refusal in refusals]

    def _refusal(self, request: Any) -> Any:  # noqa: ANN401 - Triton's classes are not typed
        """Return the error for a request that nobody waits for or whose input holds nothing; None for others."""
        if request.is_cancelled():
            return _error("the request was cancelled: nobody waits for its answer", "CANCELLED")
        for name in self.inputs:
            shape = tuple(_tensor(request, name).shape)
            if 0 in shape:
                return _error(f"{name} has the shape {list(shape)}, which holds nothing; send data", "INVALID_ARG")
        return None

    def _run(self, requests: list[Any]) -> list[Any]:
        try:
            return self._respond(requests)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; it must become a response
            if len(requests) > 1:
                return [self._run([request])[0] for request in requests]
            pb_utils.Logger.log_error(f"the model failed: {error}")
            return [_error(f"the model failed: {type(error).__name__}; see the server's log", "INTERNAL")]

    def _respond(self, requests: list[Any]) -> list[Any]:
        inputs = [[_tensor(request, name) for request in requests] for name in self.inputs]
        rows = [len(tensor) for tensor in inputs[0]]
        with torch.inference_mode():
            outputs = self.module(*(torch.cat(tensors).to(self.device) for tensors in inputs))
        split = [torch.split(output.cpu(), rows) for output in self._checked(outputs, sum(rows))]
        return [self._response([parts[index] for parts in split]) for index in range(len(requests))]

    def _checked(self, outputs: Any, rows: int) -> tuple[Tensor, ...]:  # noqa: ANN401 - a model may return anything
        if not isinstance(outputs, tuple) or len(outputs) != len(self.outputs):
            raise TypeError(f"the model must return a tuple of {len(self.outputs)} tensors, as the config names them")
        for output, (name, dtype) in zip(outputs, self.outputs, strict=True):
            if output.dtype != dtype or len(output) != rows:
                raise TypeError(f"{name} must be {dtype} of {rows} rows, not {output.dtype} {tuple(output.shape)}")
        return outputs

    def _response(self, outputs: list[Tensor]) -> Any:  # noqa: ANN401 - Triton's classes are not typed
        names = (name for name, _ in self.outputs)
        tensors = [pb_utils.Tensor(name, output.numpy()) for name, output in zip(names, outputs, strict=True)]
        return pb_utils.InferenceResponse(tensors)


def _dtype(data_type: str) -> torch.dtype:
    return torch.from_numpy(pb_utils.triton_string_to_numpy(data_type)([])).dtype


def _tensor(request: Any, name: str) -> Tensor:  # noqa: ANN401 - as above
    return torch.from_numpy(pb_utils.get_input_tensor_by_name(request, name).as_numpy())


def _error(message: str, code: str) -> Any:  # noqa: ANN401 - as above
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, getattr(pb_utils.TritonError, code)))
