"""The models of a PanEcho server as functions of arrays, in one process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panecho_local.backbone import Backbone
from panecho_model.constants import MAX_CLIPS
from panecho_postprocessing.aggregation import Head, predict, read_clips, unusable_rows
from panecho_preprocessing import ClipOptions, Limits, StudyClips, preprocess_study

Tensors = Mapping[str, NDArray[Any]]
Parameters = Mapping[str, int | str]
Outputs = dict[str, NDArray[Any]]


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Pipeline:
    """What ``panecho``, ``preprocessing``, ``backbone`` and ``postprocessing`` compute on a server.

    Attributes:
        backbone: The model on its device.
        image_encoder: The encoder of single frames.
        heads: The tasks' places in ``logits``.
        description: Parameters by which a server describes its tasks and weights.
        clip_length: Frames of a clip where a request does not say.
        threads: Files, and frames of a file, that are decoded at a time.
        limits: What a file and a request may cost.
    """

    backbone: Backbone
    image_encoder: Backbone
    heads: tuple[Head, ...]
    description: Mapping[str, str]
    clip_length: int
    threads: int
    limits: Limits = field(default_factory=Limits)

    def infer(
        self,
        model: str,
        inputs: Tensors,
        outputs: Sequence[str],
        parameters: Parameters,
        cancelled: Callable[[], bool] = _never,
    ) -> Outputs:
        """Run one of the models and return the outputs by name; names and tensors are the server's.

        Raises:
            KeyError: There is no such model.
            PreprocessingError: As ``preprocess_study``.
            InvalidClipsError: As ``aggregation.predict``.
        """
        run = {
            "panecho": self._study,
            "preprocessing": self._preprocess,
            "backbone": self._encode,
            "postprocessing": self._aggregate,
            "image_encoder": self._encode_frames,
        }[model]
        answers = run(inputs, outputs, parameters, cancelled)
        return {name: answers[name] for name in outputs if name in answers}

    def close(self) -> None:
        """End the threads of the models."""
        self.backbone.close()
        self.image_encoder.close()

    def _study(
        self, inputs: Tensors, outputs: Sequence[str], parameters: Parameters, cancelled: Callable[[], bool]
    ) -> Outputs:
        clips = self._preprocess(inputs, outputs, parameters, cancelled)
        encoded = self._encode(clips, outputs, parameters, cancelled)
        return self._aggregate({**clips, **encoded}, outputs, parameters, cancelled) | clips

    def _preprocess(
        self, inputs: Tensors, _outputs: Sequence[str], parameters: Parameters, cancelled: Callable[[], bool]
    ) -> Outputs:
        study: StudyClips = preprocess_study(
            inputs["video_bytes"],
            inputs["video_sizes"],
            ClipOptions.from_parameters({"clip_length": self.clip_length} | dict(parameters)),
            max_clips=MAX_CLIPS,
            threads=self.threads,
            limits=self.limits,
            cancelled=cancelled,
        )
        status, digests = (
            np.array([text.encode() for text in texts], np.object_) for texts in (study.video_status, study.digests)
        )
        return {
            "clips": study.clips,
            "clip_video": study.clip_video,
            "video_status": status,
            "key_frame": study.key_frames,
            "video_digest": digests,
        }

    def _encode(
        self, inputs: Tensors, _outputs: Sequence[str], _parameters: Parameters, _cancelled: Callable[[], bool]
    ) -> Outputs:
        logits, embedding = self.backbone.run(inputs["clips"])
        return {"logits": logits, "clip_embedding": embedding}

    def _encode_frames(
        self, inputs: Tensors, _outputs: Sequence[str], _parameters: Parameters, _cancelled: Callable[[], bool]
    ) -> Outputs:
        (embedding,) = self.image_encoder.run(inputs["frames"])
        return {"frame_embedding": embedding}

    def _aggregate(
        self, inputs: Tensors, outputs: Sequence[str], parameters: Parameters, _cancelled: Callable[[], bool]
    ) -> Outputs:
        clips = read_clips(inputs)
        usable = clips.finite()
        status = np.array([text.encode() for text in usable.video_status], np.object_)
        passed_on = {"clip_logits": clips.logits, "clip_video": clips.clip_video, "video_status": status}
        return {
            **predict(self.heads, usable, set(outputs), unusable=unusable_rows(parameters)),
            **passed_on,
        }
