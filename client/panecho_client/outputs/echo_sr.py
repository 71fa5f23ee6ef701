"""A study as a Simplified Adult Echo SR: TID 5300, whose measurements echo packages import."""

from typing import TYPE_CHECKING

from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["build_echo_sr"]


def build_echo_sr(study: StudyResult, identity: StudyIdentity) -> "Dataset":
    """Return the measurements of a study as a Simplified Adult Echo SR, unverified, ready for ``save_as``.

    Measurements with a code of CID 12300 are pre-coordinated; the others are ad hoc ones with a label. Classifications
    have no place in the template: they stand in comments, as sentences. For research use ``build_sr``.

    Example:
        >>> build_echo_sr(study, identify(study)).save_as("echo.dcm")

    Args:
        study: The study.
        identity: What it and its files are called.

    Raises:
        RequestError: No DICOM file contributed to the predictions, they hold no number, or the extra ``reports`` is
            not installed.
    """
    with needs_reports_extra():
        from panecho_client.outputs import echo_sr_content  # noqa: PLC0415 - needs an extra
    return echo_sr_content.report(study, identity)
