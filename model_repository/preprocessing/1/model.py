"""Triton adapter of ``panecho_preprocessing``."""

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils
from metrics import Metrics
from numpy.typing import NDArray

from panecho_preprocessing import (
    ClipOptions,
    InvalidRequestError,
    Limits,
    RequestCancelledError,
    ShortOfMemoryError,
    StudyClips,
    preprocess_study,
    threads_per_instance,
)


class TritonPythonModel:
    """Turns the files of a study into clips."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read limits and defaults; share the cores with the other instances."""
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self.max_clips = int(parameters["max_clips"])
        self.defaults = {"clip_length": parameters["clip_length"]}
        instances = sum(group["count"] for group in config["instance_group"])
        limits = Limits.from_parameters(parameters)
        # All instances may ask for memory at the same time, and know nothing of each other.
        self.limits = replace(limits, memory_copies=limits.memory_copies * instances)
        self.threads = int(parameters.get("threads", threads_per_instance(instances)))
        self.metrics = Metrics(args["model_name"])
        cv2.setNumThreads(1)  # several frames at a time, each in one thread

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request separately."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:  # noqa: ANN401 - Triton's request and response classes are not typed
        try:
            video_bytes = _input(request, "video_bytes")
            study = self.metrics.count(video_bytes.size, lambda: self._preprocess(request, video_bytes))
        except InvalidRequestError as error:
            return _error(str(error), pb_utils.TritonError.INVALID_ARG)
        except ShortOfMemoryError as error:
            return _error(str(error), pb_utils.TritonError.UNAVAILABLE)
        except RequestCancelledError as error:
            return _error(str(error), pb_utils.TritonError.CANCELLED)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's error and no other's
            return _error(f"preprocessing failed: {type(error).__name__}", pb_utils.TritonError.INTERNAL)
        status, digests = (
            np.array([text.encode() for text in texts], dtype=np.object_)
            for texts in (study.video_status, study.digests)
        )
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("clips", study.clips),
                pb_utils.Tensor("clip_video", study.clip_video),
                pb_utils.Tensor("video_status", status),
                pb_utils.Tensor("key_frame", study.key_frames),
                pb_utils.Tensor("video_digest", digests),
            ]
        )

    def _preprocess(self, request: Any, video_bytes: NDArray[np.uint8]) -> StudyClips:  # noqa: ANN401 - as above
        return preprocess_study(
            video_bytes,
            _input(request, "video_sizes"),
            ClipOptions.from_parameters(self.defaults | json.loads(request.parameters())),
            max_clips=self.max_clips,
            threads=self.threads,
            limits=self.limits,
            cancelled=request.is_cancelled,
        )


def _input(request: Any, name: str) -> Any:  # noqa: ANN401 - as above
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _error(message: str, code: int) -> Any:  # noqa: ANN401 - as above
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
