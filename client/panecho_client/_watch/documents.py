"""Reports of a study as DICOM files of the PACS: each has the same UIDs whenever and wherever it is made.

So the PACS itself tells which reports it holds, and one that is sent twice is stored once.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panecho_client._exceptions import FilesError
from panecho_client._files.whole_files import accessing
from panecho_client._identity.pseudonyms import pseudonymous_uid
from panecho_client.outputs.stored_results import PREDICTION, read_stored
from panecho_client.outputs.study_files import REPORTS

__all__ = ["Document", "content_in", "content_of", "documents_of"]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A report as the PACS knows it.

    Attributes:
        kind: A key of ``REPORTS``.
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        instance: SOPInstanceUID.
    """

    kind: str
    study: str
    series: str
    instance: str

    @property
    def name(self) -> str:
        """The kind as options name it."""
        return self.kind.replace("_", "-")

    def read(self, folder: Path) -> bytes:
        """Return the report in a study's folder, with the UIDs of this document.

        Raises:
            FilesError: It cannot be read.
        """
        from pydicom import dcmread  # noqa: PLC0415 - part of an extra
        from pydicom.uid import UID  # noqa: PLC0415 - as above

        path = folder / REPORTS[self.kind]
        with accessing(path, "read", "remove the study's folder"):
            dataset = dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(self.instance)
        dataset.SeriesInstanceUID = self.series
        written = io.BytesIO()
        dataset.save_as(written, enforce_file_format=True)
        return written.getvalue()


def documents_of(study: str, content: str, settings: Mapping[str, object], kinds: Iterable[str]) -> list[Document]:
    """Return a study's reports.

    Args:
        study: StudyInstanceUID.
        content: See ``content_of``.
        settings: What decides on the predictions: weights, tasks, version, and so on.
        kinds: Keys of ``REPORTS``.
    """
    seed = json.dumps([study, content, settings], sort_keys=True)
    return [
        Document(
            kind=kind,
            study=study,
            series=pseudonymous_uid(f"{seed} {kind} series"),
            instance=pseudonymous_uid(f"{seed} {kind}"),
        )
        for kind in kinds
    ]


def content_of(instances: Sequence[str]) -> str:
    """Return a digest of the SOP Instance UIDs of a study's ultrasound, in whatever order."""
    return hashlib.sha256("\n".join(sorted(instances)).encode()).hexdigest()


def content_in(folder: Path) -> str:
    """Return the digest of the ultrasound that the results in a study's folder come from; empty without results."""
    if not (folder / PREDICTION).is_file():
        return ""
    try:
        _, identity = read_stored(folder)
    except FilesError:  # it is predicted again
        return ""
    return content_of([file.sop_instance_uid or "" for file in identity.files])
