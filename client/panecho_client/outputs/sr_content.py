"""What a structured report of a study holds, as highdicom's objects."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from highdicom import UID, ContentQualificationValues
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from panecho_client._description import VERSION
from panecho_client._exceptions import RequestError
from panecho_client._identity.optional_packages import quiet_pydicom
from panecho_client._identity.pseudonyms import pseudonymous_uid
from panecho_client._identity.study_identity import FileIdentity, StudyIdentity
from panecho_client._result_views.variables import clinical_order
from panecho_client._results import Prediction, StudyResult
from panecho_client.outputs.contradictions import find_contradictions
from panecho_client.outputs.sr_codes import (
    DOUBTS,
    SCHEME,
    class_code,
    probability_code,
    site_code,
    task_code,
    unit_code,
)
from panecho_client.outputs.task_facts import rounded

__all__ = ["MANUFACTURER", "device", "document", "name_patient", "report", "sources"]

SERIES_NUMBER = 9100
PROBABILITY_DECIMALS = 3
MANUFACTURER = "panecho-triton"
ULTRASOUND = (UltrasoundImageStorage, UltrasoundMultiFrameImageStorage)

# Required of every SR, if only as empty elements (type 2).
PATIENT_AND_STUDY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


class _Document(ComprehensiveSR):
    """An SR whose patient and study ``name_patient`` fills in, not highdicom.

    highdicom knows the kinds of images of today's standard only, refuses some values that scanners write, and warns
    with others.
    """

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Copy nothing."""


def report(study: StudyResult, identity: StudyIdentity) -> Dataset:
    """Return the report; arguments and errors as ``build_sr``."""
    evidence = sources(study, identity)
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device()),
        procedure_reported=codes.SCT.TransthoracicEchocardiography,
        imaging_measurements=_groups(study, identity, evidence),
        referenced_images=[source for source in evidence if source.SOPClassUID in ULTRASOUND and "Rows" in source],
    )
    content[0].ContentSequence.extend(_remarks(study))
    made = document(evidence, content, series_number=SERIES_NUMBER)
    with quiet_pydicom():
        name_patient(made, identity)
    return made


def document(evidence: Sequence[Dataset], content: Dataset | MeasurementReport, *, series_number: int) -> Dataset:
    """Return an SR of this content without patient and study; ``name_patient`` adds them.

    Args:
        evidence: From ``sources``.
        content: The root of the content tree.
        series_number: Number of its series.
    """
    return _Document(
        evidence=evidence,
        content=content,
        series_instance_uid=UID(),
        series_number=series_number,
        series_description="PanEcho. Not for clinical use.",
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name="PanEcho",
        software_versions=VERSION,
        is_complete=True,
        specific_character_set="ISO_IR 192",
        content_qualification=ContentQualificationValues.RESEARCH,
        coding_schemes=[CodingSchemeIdentificationItem(SCHEME, name="PanEcho tasks and classes", version=VERSION)],
    )


def name_patient(document: Dataset, identity: StudyIdentity) -> None:
    """Write patient and study into a document: identifiers, or pseudonyms and that it holds no others."""
    document.PatientID = identity.patient
    document.PatientSex = identity.patient_sex
    if not identity.identified:
        document.PatientID = identity.patient or identity.study
        document.PatientName = f"{document.PatientID}^"
        document.PatientIdentityRemoved = "YES"
        document.DeidentificationMethod = "panecho-triton: pseudonyms by HMAC-SHA256"
        return
    document.PatientName = identity.patient_name
    document.PatientBirthDate = identity.patient_birth_date
    document.StudyDate = identity.study_date
    document.StudyTime = identity.study_time
    document.StudyID = identity.study_id
    document.AccessionNumber = identity.accession_number
    document.ReferringPhysicianName = identity.referring_physician


def sources(study: StudyResult, identity: StudyIdentity) -> list[Dataset]:
    """Return what highdicom needs to know of the files that the predictions come from."""
    used = [file for video, file in zip(study.videos, identity.files, strict=True) if video.ok]
    found = [_source(file) for file in used if file.is_reference]
    if not found:
        raise RequestError("a structured report refers to DICOM files, and none contributed to this study.")
    # highdicom puts the report into the study of the first.
    return sorted(found, key=lambda source: bool(source.StudyInstanceUID != identity.study_instance_uid))


def _source(file: FileIdentity) -> Dataset:
    source = Dataset()
    source.SOPClassUID = file.sop_class_uid
    source.SOPInstanceUID = file.sop_instance_uid
    source.SeriesInstanceUID = file.series_instance_uid
    source.StudyInstanceUID = file.study_instance_uid
    source.Modality = "US"
    if file.rows and file.columns:
        source.Rows, source.Columns = file.rows, file.columns
    for keyword in PATIENT_AND_STUDY:
        setattr(source, keyword, None)
    return source


def device() -> ObserverContext:
    """Return what observed: the model."""
    attributes = DeviceObserverIdentifyingAttributes(
        uid=pseudonymous_uid(f"{MANUFACTURER} {VERSION}"),
        name="PanEcho",
        manufacturer_name=MANUFACTURER,
        model_name=f"{MANUFACTURER} {VERSION}",
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)


def _algorithm(study: StudyResult) -> AlgorithmIdentification:
    weights = study.weights
    digest = f"sha256 {weights.sha256}" if weights.sha256 else "no sha256"
    precision = f"; precision {weights.manifest.precision}" if weights.manifest else ""
    return AlgorithmIdentification(
        name="PanEcho",
        version=f"panecho-triton {VERSION}; weights {weights.name}; {digest}{precision}",
        parameters=[f"{name}={value}" for name, value in study.parameters.items()],
        manufacturer=MANUFACTURER,
    )


def _groups(
    study: StudyResult, identity: StudyIdentity, sources: Sequence[Dataset]
) -> list[MeasurementsAndQualitativeEvaluations]:
    parts: defaultdict[str, list[Prediction]] = defaultdict(list)
    for prediction in study.predictions.values():
        if math.isfinite(prediction.value):
            parts[prediction.task.group].append(prediction)
    if not parts:
        raise RequestError("this study's predictions hold no number; a structured report has to.")
    algorithm = _algorithm(study)
    return [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(
                uid=pseudonymous_uid(f"{identity.study} {part}"), identifier=f"PanEcho: {part}"
            ),
            algorithm_id=algorithm,
            finding_sites=[FindingSite(site)] if (site := site_code(part)) else None,
            measurements=[measurement for prediction in predictions for measurement in _measurements(prediction)],
            qualitative_evaluations=list(_evaluations(predictions)),
            source_images=[
                SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID) for source in sources
            ],
        )
        for part, predictions in parts.items()
    ]


def _measurements(prediction: Prediction) -> list[Measurement]:
    task = prediction.task
    if task.kind == "regression":
        return [Measurement(name=task_code(task), value=rounded(task, prediction.value), unit=unit_code(task))]
    return [
        Measurement(
            name=probability_code(task, name),
            value=round(prediction.probabilities[name], PROBABILITY_DECIMALS),
            unit=codes.UCUM.NoUnits,
        )
        for name in clinical_order(task.classes)
    ]


def _evaluations(predictions: Iterable[Prediction]) -> Iterable[QualitativeEvaluation]:
    for prediction in predictions:
        if prediction.label is not None:
            task = prediction.task
            yield QualitativeEvaluation(name=task_code(task), value=class_code(task, prediction.label))


def _remarks(study: StudyResult) -> list[TextContentItem]:
    doubts = [f"{key}: {text}" for key, text in DOUBTS.items() if key in study.predictions]
    contradictions = [f"Check: {text}" for text in find_contradictions(study)]
    texts = [*study.warnings, *filter(None, [study.weights.notice]), *contradictions, *doubts]
    return [
        TextContentItem(name=codes.DCM.Comment, value=text, relationship_type=RelationshipTypeValues.CONTAINS)
        for text in texts
    ]
