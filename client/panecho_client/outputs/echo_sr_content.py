"""What a Simplified Adult Echo SR (TID 5300) of a study holds."""

import math
from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    NumContentItem,
    ObservationContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import SimplifiedAdultEchoSRStorage

from panecho_client._exceptions import RequestError
from panecho_client._identity.optional_packages import quiet_pydicom
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import Prediction, StudyResult
from panecho_client.outputs.assessment import assess
from panecho_client.outputs.sr_codes import DOUBTS, task_code, unit_code
from panecho_client.outputs.sr_content import device, document, name_patient, sources
from panecho_client.outputs.task_facts import measurement_facts, rounded

__all__ = ["report"]

SERIES_NUMBER = 9101
LABEL_LENGTH = 16

# The tree is that of the example in PS3.17, CCCC.5: containers of measurements, each with a short label and no other
# modifier. tests/client/outputs/test_echo_sr_codes.py compares the codes with PS3.16.
ROOT = Code("125200", "DCM", "Adult Echocardiography Procedure Report")
PRE_COORDINATED = Code("125301", "DCM", "Pre-coordinated Measurements")
AD_HOC = Code("125303", "DCM", "Adhoc Measurements")
SHORT_LABEL = Code("125309", "DCM", "Short Label")
LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")

# CID 12300. EF and volumes have no code there without a method: biplane is the usual one of laboratories, and METHOD
# says that the model did not use it.
CORE = {
    "EF": Code("79991-6", "LN", "Left ventricular ejection fraction biplane (MOD)"),
    "LVEDV": Code("79996-5", "LN", "Left ventricular end diastolic volume biplane (MOD)"),
    "LVESV": Code("80001-1", "LN", "Left ventricular end systolic volume biplane (MOD)"),
    "IVSd": Code("79969-2", "LN", "Interventricular septum diastolic dimension 2D"),
    # 80032-6 has the same meaning; PS3.17, CCCC.5, labels this one "LVPWd (2D)".
    "LVPWd": Code("80031-8", "LN", "Left ventricular posterior wall diastolic thickness"),
    "LVIDd": Code("80007-8", "LN", "Left ventricular internal diastolic dimension - 2D"),
    "LVIDs": Code("80011-0", "LN", "Left ventricular internal systolic dimension - 2D"),
    "LVOTDiam": Code("80028-4", "LN", "Left ventricular outflow tract dimension (2D)"),
    "TAPSE": Code("77903-3", "LN", "Tricuspid Annular Plane Systolic Excursion (TAPSE)"),
    "RVSVel": Code("79926-2", "LN", "Tricuspid valve s-prime Vmax"),
    "AVPkVel(m|s)": Code("79964-3", "LN", "Aortic valve Vmax"),
    "TVPkGrad": Code("79937-9", "LN", "Tricuspid regurgitation peak gradient"),
    "AORoot": Code("79953-6", "LN", "Aortic root diameter"),
}
METHOD = "A model estimated the values from videos: no method of measurement that a code names was applied."

DIAMETER = Code("81827009", "SCT", "Diameter")
PROPERTIES = {
    "GLS": Code("130671", "DCM", "Peak Longitudinal Lagrangian Strain"),
    "LVSV": Code("90096001", "SCT", "Stroke Volume"),
    "RVSP": Code("125329", "DCM", "Peak Blood Pressure"),
    "RVIDd": DIAMETER,
    "LAIDs2D": DIAMETER,
    "RADimensionM-L(cm)": Code("131188004", "SCT", "Minor Axis"),
    "LAVol": Code("118565006", "SCT", "Volume"),
}
"""What an ad hoc measurement is of (CID 12304, which has nothing for E/e')."""


def report(study: StudyResult, identity: StudyIdentity) -> Dataset:
    """Return the report; arguments and errors as ``build_echo_sr``."""
    evidence = sources(study, identity)
    finite = [
        prediction
        for prediction in study.predictions.values()
        if prediction.task.kind == "regression" and math.isfinite(prediction.value)
    ]
    if not finite:
        raise RequestError("this study's predictions hold no measurement; an echo report has to.")
    made = document(evidence, _content(study, identity, finite), series_number=SERIES_NUMBER)
    with quiet_pydicom():
        name_patient(made, identity)
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SimplifiedAdultEchoSRStorage
        made.DeviceSerialNumber = "none"
        made.TimezoneOffsetFromUTC = "+0000"
    return made


def _content(study: StudyResult, identity: StudyIdentity, finite: Sequence[Prediction]) -> Dataset:
    root = ContainerContentItem(name=ROOT, template_id="5300")
    core = [prediction for prediction in finite if prediction.task.key in CORE]
    others = [prediction for prediction in finite if prediction.task.key not in CORE]
    root.ContentSequence = ContentSequence(
        [
            CodeContentItem(name=LANGUAGE, value=ENGLISH, relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD),
            *ObservationContext(observer_device_context=device()),
            *_container(PRE_COORDINATED, map(_core, core)),
            *_container(AD_HOC, map(_ad_hoc, others)),
            *_comments(study, identity),
        ]
    )
    return root


def _container(name: Code, items: Iterable[ContentItem]) -> Iterator[ContentItem]:
    held = list(items)
    if held:
        container = ContainerContentItem(name=name, relationship_type=RelationshipTypeValues.CONTAINS)
        container.ContentSequence = ContentSequence(held)
        yield container


def _core(prediction: Prediction) -> ContentItem:
    return _number(CORE[prediction.task.key], prediction)


def _ad_hoc(prediction: Prediction) -> ContentItem:
    return _number(PROPERTIES.get(prediction.task.key) or task_code(prediction.task), prediction)


def _number(name: Code, prediction: Prediction) -> ContentItem:
    task = prediction.task
    item = NumContentItem(
        name=name,
        value=rounded(task, prediction.value),
        unit=unit_code(task),
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    label = TextContentItem(
        name=SHORT_LABEL, value=task.key[:LABEL_LENGTH], relationship_type=RelationshipTypeValues.HAS_PROPERTIES
    )
    item.ContentSequence = ContentSequence([label])
    return item


def _comments(study: StudyResult, identity: StudyIdentity) -> Iterator[ContentItem]:
    assessment = assess(study, identity)
    texts = [
        *study.warnings,
        METHOD,
        *(f"Check: {text}" for text in assessment.contradictions),
        *(f"{line.text} ({line.evidence})" for line in assessment.abnormal),
        *(f"{key}: {text}" for key, text in DOUBTS.items() if key in study.predictions),
        *(
            f"{measurement_facts(value.task).name}: expected error {value.error}"
            for value in assessment.measured
            if value.task
        ),
    ]
    for text in texts:
        yield TextContentItem(name=codes.DCM.Comment, value=text, relationship_type=RelationshipTypeValues.CONTAINS)
