"""A PDF report as a DICOM object (Encapsulated PDF), which a PACS stores next to the study."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from panecho_client._description import VERSION
from panecho_client._identity.optional_packages import needs_reports_extra, quiet_pydicom
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult
from panecho_client.outputs.pdf import render_pdf
from panecho_client.outputs.reference_ranges import GUIDELINES, RangeTable

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["build_dicom_pdf"]

SERIES_NUMBER = 9102
TITLE = "PanEcho report. Not for clinical use."


def build_dicom_pdf(
    study: StudyResult, identity: StudyIdentity, *, key_frames: bool = False, ranges: RangeTable = GUIDELINES
) -> "Dataset":
    """Return the PDF report as an Encapsulated PDF, ready for ``save_as``.

    With identifiers it joins the study; without it is a separate study, whose UIDs stand for the real ones.

    Example:
        >>> build_dicom_pdf(study, identify(study)).save_as("report-pdf.dcm", enforce_file_format=True)

    Args:
        study: The study.
        identity: Names of the study and its files.
        key_frames: See ``render_pdf``.
        ranges: Reference ranges; see ``load_ranges``.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    content = render_pdf(study, identity, key_frames=key_frames, ranges=ranges)
    with needs_reports_extra():
        from highdicom import UID  # noqa: PLC0415 - part of an extra
        from pydicom import Dataset  # noqa: PLC0415 - as above
        from pydicom.dataset import FileMetaDataset  # noqa: PLC0415 - as above
        from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian  # noqa: PLC0415 - as above

        from panecho_client.outputs.sr_content import MANUFACTURER, name_patient  # noqa: PLC0415 - as above
    now = datetime.now(UTC)
    document = Dataset()
    with quiet_pydicom():
        document.SpecificCharacterSet = "ISO_IR 192"
        document.SOPClassUID, document.SOPInstanceUID = EncapsulatedPDFStorage, UID()
        document.StudyInstanceUID, document.SeriesInstanceUID = identity.study_instance_uid or UID(), UID()
        document.StudyDate = document.StudyTime = document.StudyID = document.AccessionNumber = None
        document.ReferringPhysicianName = document.PatientBirthDate = document.PatientName = None
        name_patient(document, identity)
        document.Modality, document.SeriesNumber, document.InstanceNumber = "DOC", SERIES_NUMBER, 1
        document.SeriesDescription = document.DocumentTitle = TITLE
        document.Manufacturer, document.ManufacturerModelName, document.SoftwareVersions = (
            MANUFACTURER,
            "PanEcho",
            VERSION,
        )
        document.ConversionType, document.BurnedInAnnotation = "WSD", "YES"
        document.ContentDate, document.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
        document.AcquisitionDateTime = None
        document.ConceptNameCodeSequence = []
        document.MIMETypeOfEncapsulatedDocument = "application/pdf"
        document.EncapsulatedDocumentLength = len(content)
        document.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
        document.file_meta = FileMetaDataset()
        document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        document.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
        document.file_meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    return document
