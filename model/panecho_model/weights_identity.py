"""What a set of weights is: said in the model's metadata, in every report and in the logs."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from panecho_model.checkpoint_record import CheckpointRecord, checkpoint_path

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
        fine_tuned_from: What the weights were fine-tuned from, with its hash; None where they were not.
    """

    name: str
    notice: str
    sha256: str | None = None
    stand_in: bool = False
    licence: str | None = None
    fine_tuned_from: str | None = None

    def to_json(self) -> str:
        """Return the JSON object that the model's metadata holds."""
        return json.dumps(asdict(self))


NO_WEIGHTS = WeightsIdentity(name="none", notice="No weights: run `panecho export` to make this repository servable.")


def stand_in_identity(seed: int) -> WeightsIdentity:
    """Return the identity of the stand-in weights of ``seed``."""
    return WeightsIdentity(name=f"stand-in {seed}", stand_in=True, licence="Apache-2.0", notice=STAND_IN_NOTICE)


def checkpoint_identity(path: Path, record: CheckpointRecord | None = None) -> WeightsIdentity:
    """Return the identity of a checkpoint file.

    Args:
        path: The file; ``RUN/best`` names ``RUN/best.pt``.
        record: Its record, where it has one.
    """
    path = checkpoint_path(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if record is None or record.fine_tuned_from is None:
        return WeightsIdentity(name=path.name, sha256=digest, notice=CHECKPOINT_NOTICE)
    licence = record.licence or "not known"
    notice = f"Fine-tuned from {record.fine_tuned_from}. Licence: {licence}. Research use only; not for clinical use."
    return WeightsIdentity(
        name=f"{path.resolve().parent.name}/{path.name}",
        sha256=digest,
        notice=f"{STAND_IN_NOTICE} {notice}" if record.stand_in else notice,
        stand_in=record.stand_in,
        licence=record.licence,
        fine_tuned_from=_with_hash(record),
    )


def _with_hash(record: CheckpointRecord) -> str:
    digest = f" (sha256 {record.fine_tuned_from_sha256})" if record.fine_tuned_from_sha256 else ""
    return f"{record.fine_tuned_from}{digest}"
