"""A study as a DICOM structured report: TID 1500 Measurement Report."""

from typing import TYPE_CHECKING

from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["build_sr", "can_have_sr"]


def build_sr(study: StudyResult, identity: StudyIdentity) -> "Dataset":
    """Return the study as a Comprehensive SR, unverified and marked as research, ready for ``save_as``.

    Each part of the heart is a measurement group with the model's identity: measurements with UCUM units, the most
    probable class of each classification, and the probability of each class. Values that are no numbers are left out.
    The report refers to the DICOM files that the predictions come from. With identifiers it joins their study; without
    it is a separate study, whose UIDs stand for the real ones, and refers to files by such UIDs too.

    Example:
        >>> build_sr(study, identify(study)).save_as("report.dcm")

    Args:
        study: The study.
        identity: What it and its files are called.

    Raises:
        RequestError: No DICOM file contributed to the predictions, they hold no number, or the extra ``reports`` is
            not installed.
    """
    with needs_reports_extra():
        from panecho_client.outputs import sr_content  # noqa: PLC0415 - needs an extra
    return sr_content.report(study, identity)


def can_have_sr(study: StudyResult, identity: StudyIdentity) -> bool:
    """Tell whether a DICOM file contributed to the predictions; there is no report without."""
    pairs = zip(study.videos, identity.files, strict=True)
    return any(video.ok and file.is_reference for video, file in pairs)
