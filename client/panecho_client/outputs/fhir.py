"""A study as FHIR: a bundle of a DiagnosticReport and its Observations, coded with LOINC, SNOMED CT and UCUM.

The resources are those of R4; the models that check them are of R4B, in which these resources are the same.
"""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from panecho_client._description import VERSION
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._result_views.variables import class_label
from panecho_client._results import StudyResult
from panecho_client.outputs.assessment import Assessment, assess
from panecho_client.outputs.classified_values import Classified
from panecho_client.outputs.measured_values import Measured
from panecho_client.outputs.prediction_text import readable_class
from panecho_client.outputs.reference_ranges import GUIDELINES, RangeTable, ReferenceRange

__all__ = ["build_fhir"]

NAMESPACE = uuid.UUID("5c0b6a51-6c1e-4d1b-9df1-0c3a2f7d6b10")
OWN = "urn:panecho-triton:tasks"
SYSTEMS = {"LN": "http://loinc.org", "SCT": "http://snomed.info/sct", "99PANECHO": OWN}
UCUM = "http://unitsofmeasure.org"
UNITS = {"mmHg": "mm[Hg]", "mL/m²": "mL/m2", "": "1"}
INTERPRETATIONS = {"within": "N", "above": "H", "below": "L"}
REPORT = {"system": "http://loinc.org", "code": "18106-5", "display": "Cardiac echo study Procedure"}
ULTRASOUND = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "CUS", "display": "Cardiac Ultrasound"}
PROBABILITY_DECIMALS = 3


def build_fhir(study: StudyResult, identity: StudyIdentity, *, ranges: RangeTable = GUIDELINES) -> str:
    """Return the study as FHIR JSON: a bundle (collection) that the models of ``fhir.resources`` have checked.

    Everything is ``preliminary``: no person has seen it. Without identifiers the patient is a pseudonym.

    Example:
        >>> Path("report.fhir.json").write_text(build_fhir(study, identify(study)), encoding="utf-8")

    Args:
        study: The study.
        identity: Names of the study and its files.
        ranges: Reference ranges; see ``load_ranges``.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 - part of an extra
    resources = [*_resources(study, identity, assess(study, identity, ranges))]
    entries = [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    text: str = Bundle.model_validate(bundle).model_dump_json(indent=2)
    return f"{json.dumps(json.loads(text), indent=2, ensure_ascii=False)}\n"


def _resources(study: StudyResult, identity: StudyIdentity, assessment: Assessment) -> Iterator[Mapping[str, Any]]:
    patient = _patient(identity)
    device = {
        "resourceType": "Device",
        "id": _id(identity, "device"),
        "deviceName": [{"name": "PanEcho", "type": "model-name"}],
        "version": [{"value": f"panecho-triton {VERSION}; weights {study.weights.name}; {study.weights.sha256}"}],
    }
    values: list[Measured | Classified] = [*assessment.measured, *assessment.classified]
    observations = [
        (_measurement(value) if isinstance(value, Measured) else _finding(value))
        | {
            "resourceType": "Observation",
            "id": _id(identity, value.key),
            "status": "preliminary",
            "subject": _reference(patient),
            "device": _reference(device),
        }
        for value in values
    ]
    yield _report(study, identity, assessment, patient, observations)
    yield patient
    yield device
    yield from observations


def _report(
    study: StudyResult,
    identity: StudyIdentity,
    assessment: Assessment,
    patient: Mapping[str, Any],
    observations: list[dict[str, Any]],
) -> Mapping[str, Any]:
    lines = [
        *study.warnings,
        *(f"Check: {text}" for text in assessment.contradictions),
        *(f"{line.text} ({line.evidence})." for line in assessment.abnormal),
        *(f"Undecided: {line.text} ({line.evidence})." for line in assessment.undecided),
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "id": _id(identity, "report"),
        "status": "preliminary",
        "category": [{"coding": [ULTRASOUND]}],
        "code": {"coding": [REPORT]},
        "subject": _reference(patient),
        "result": [_reference(observation) for observation in observations],
        "conclusion": "\n".join(lines),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{identity.study_instance_uid}"}]
        if identity.study_instance_uid
        else None,
        "effectiveDateTime": _day(identity.study_date),
    }
    return {name: value for name, value in report.items() if value}


def _patient(identity: StudyIdentity) -> Mapping[str, Any]:
    family, given, *_ = [*(identity.patient_name or "").split("=")[0].split("^"), "", ""]
    name = {key: value for key, value in (("family", family), ("given", [given] if given else None)) if value}
    patient = {
        "resourceType": "Patient",
        "id": _id(identity, "patient"),
        "identifier": [{"value": identity.patient or identity.study}],
        "name": [name] if name else None,
        "gender": {"F": "female", "M": "male", "O": "other"}.get(identity.patient_sex or "", "unknown"),
        "birthDate": _day(identity.patient_birth_date),
    }
    return {key: value for key, value in patient.items() if value}


def _measurement(value: Measured) -> dict[str, Any]:
    observation: dict[str, Any] = {"code": _code(value)}
    if not math.isfinite(value.value):
        observation["dataAbsentReason"] = {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-a-number"}]
        }
        return observation
    observation["valueQuantity"] = _quantity(value.value, value.unit)
    if value.ranges:
        observation["referenceRange"] = [_range(normal, value.unit) for normal in value.ranges]
    if value.verdict:
        code = INTERPRETATIONS.get(value.verdict)
        system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
        coding = {"coding": [{"system": system, "code": code}]} if code else {}
        observation["interpretation"] = [coding | {"text": value.verdict}]
    observation["note"] = [{"text": f"Expected error: {value.error}."}]
    return observation


def _finding(value: Classified) -> dict[str, Any]:
    observation: dict[str, Any] = {"code": _code(value)}
    if value.label is not None:
        coding = {"system": OWN, "code": class_label(value.key, value.label), "display": value.sentence}
        observation["valueCodeableConcept"] = {"coding": [coding], "text": value.sentence}
    observation["component"] = [
        {
            "code": {
                "coding": [{"system": OWN, "code": f"{class_label(value.key, name)}:P"}],
                "text": f"Probability: {readable_class(name)}",
            },
            "valueQuantity": _quantity(round(probability, PROBABILITY_DECIMALS), ""),
        }
        for name, probability in value.probabilities
        if math.isfinite(probability)
    ]
    if not value.decided:
        observation["note"] = [{"text": "Undecided: the two most probable classes are close."}]
    return observation


def _code(value: Measured | Classified) -> Mapping[str, Any]:
    if value.task is None:
        return {"coding": [{"system": OWN, "code": value.key, "display": value.name}], "text": value.name}
    from panecho_client.outputs.sr_codes import task_code  # noqa: PLC0415 - needs an extra

    code = task_code(value.task)
    coding = {"system": SYSTEMS[code.scheme_designator], "code": code.value, "display": code.meaning}
    own = {"system": OWN, "code": value.key}
    return {"coding": [coding] if coding["system"] == OWN else [coding, own], "text": value.name}


def _quantity(value: float, unit: str) -> Mapping[str, Any]:
    return {"value": value, "unit": unit or "1", "system": UCUM, "code": UNITS.get(unit, unit)}


def _range(normal: ReferenceRange, unit: str) -> Mapping[str, Any]:
    sexes = {"F": "women", "M": "men", None: "adults"}
    limits = {
        name: _quantity(limit, unit)
        for name, limit in (("low", normal.low), ("high", normal.high))
        if limit is not None
    }
    return {**limits, "text": f"{sexes[normal.sex]} {normal.text}; {normal.source.citation}"}


def _reference(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _id(identity: StudyIdentity, name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{identity.study} {name}"))


def _day(text: str | None) -> str | None:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if text and len(text) == 8 and text.isdecimal() else None
