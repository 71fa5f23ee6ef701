"""What a set of weights is: said in the model's metadata, in every report and in the logs."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

STAND_IN_NOTICE = (
    "STAND-IN WEIGHTS: random numbers in PanEcho's shape. Everything runs, but the predictions mean nothing clinically."
)
CHECKPOINT_NOTICE = "Released PanEcho weights are CC BY-NC-SA 4.0. Research use only; not for clinical use."


@dataclass(frozen=True, kw_only=True)
class WeightsIdentity:
    """Identity of the weights that a repository serves.

    Attributes:
        name: File name of the checkpoint, or ``stand-in SEED``, or ``none`` before an export.
        notice: What everybody who reads an output must know.
        sha256: Of the checkpoint file; None for stand-ins.
        stand_in: Whether the outputs mean nothing clinically.
        licence: Licence, where it is known.
    """

    name: str
    notice: str
    sha256: str | None = None
    stand_in: bool = False
    licence: str | None = None

    def to_json(self) -> str:
        """Return the JSON object that the model's metadata holds."""
        return json.dumps(asdict(self))


NO_WEIGHTS = WeightsIdentity(name="none", notice="No weights: run `panecho export` to make this repository servable.")


def stand_in_identity(seed: int) -> WeightsIdentity:
    """Return the identity of the stand-in weights of ``seed``."""
    return WeightsIdentity(name=f"stand-in {seed}", stand_in=True, licence="Apache-2.0", notice=STAND_IN_NOTICE)


def checkpoint_identity(path: Path) -> WeightsIdentity:
    """Return the identity of the checkpoint file ``path``."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightsIdentity(name=path.name, sha256=digest, notice=CHECKPOINT_NOTICE)
