"""Serving settings by kind of machine, as measured: docs/operate/serving.md.

How many instances of a model there are, how long its requests wait for company, and how many may wait.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["KIND_CPU", "KIND_GPU"]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Serving settings of one model, in Triton's terms.

    Attributes:
        instances: Of the model, on each GPU or on all the cores together; None is Triton's own choice: one per GPU, or
            one on the CPU where there is none.
        kind: Where they run.
        queue_delay: Microseconds that a request may wait for others to share its batch.
        queue_size: Requests that may wait; one more is refused with UNAVAILABLE, to be sent again later. None bounds
            nothing: for models that take one request at a time, to which Triton 24.10 sends a waiting one only every
            500 ms once there is a queue policy.
        queue_seconds: How long one may wait until it is refused likewise.
    """

    instances: int | None = None
    kind: Kind = "KIND_CPU"
    queue_delay: int = 0
    queue_size: int | None = None
    queue_seconds: int = 120

    def to_pbtxt(self) -> str:
        """Return the part of a config.pbtxt that says so."""
        group = f"instance_group [ {{ count: {self.instances} kind: {self.kind} }} ]\n" if self.instances else ""
        if self.queue_size is None:
            return group.rstrip()
        return (
            f"{group}dynamic_batching {{\n"
            f"  max_queue_delay_microseconds: {self.queue_delay}\n"
            "  default_queue_policy {\n"
            f"    max_queue_size: {self.queue_size}\n"
            "    timeout_action: REJECT\n"
            f"    default_timeout_microseconds: {self.queue_seconds * 1_000_000}\n"
            "    allow_timeout_override: true\n"
            "  }\n"
            "}"
        )


Profile = Mapping[str, Serving]
"""Serving settings by model."""

DEFAULT: Profile = {
    "preprocessing": Serving(instances=2),
    "backbone": Serving(queue_delay=2000, queue_size=16),
    "postprocessing": Serving(instances=1),
    "image_encoder": Serving(queue_delay=2000, queue_size=64),
}
"""What config.pbtxt says: runs on any machine."""

PROFILES: Mapping[str, Profile] = {
    "cpu": {
        "preprocessing": Serving(instances=2),
        "backbone": Serving(instances=1, queue_size=8),
    },
    "gpu": {
        "preprocessing": Serving(instances=4),
        "backbone": Serving(instances=1, kind="KIND_GPU", queue_delay=2000, queue_size=256, queue_seconds=60),
    },
}
"""What configs/NAME.pbtxt of a model says instead, for ``tritonserver --model-config-name=NAME``; a model that is not
named keeps its config.pbtxt."""
