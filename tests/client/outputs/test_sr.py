"""The structured report: dcmtk and highdicom read it, with the study's numbers; nothing in it identifies unasked."""

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from panecho_client import RequestError, StudyResult
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client.outputs.sr import build_sr

CINE = "1.2.840.10008.5.1.4.1.1.3.1"
UID = "1.2.826.0.1.3680043.8.498.4711"
SECRETS = ("SECRET", "PATIENT^", "MRN-0815", "19010203", "19991231", "ACC-99", "REFERRER", UID, "study/a.dcm")


@pytest.fixture
def instances(study: StudyResult) -> list[SopInstance]:
    first, second = (video.path for video in study.videos)
    return [
        SopInstance(
            path=first,
            sop_instance_uid=f"{UID}.4",
            sop_class_uid=CINE,
            series_instance_uid=f"{UID}.3",
            study_instance_uid=UID,
            patient_id="MRN-0815",
            patient_name="SECRET^PATIENT^Ä",
            patient_birth_date="19010203",
            patient_sex="F",
            study_date="19991231",
            study_time="235959",
            study_id="7",
            accession_number="ACC-99",
            referring_physician="REFERRER^R",
            rows=240,
            columns=320,
        ),
        SopInstance(path=second, content="ab" * 32),
    ]


def saved(study: StudyResult, instances: list[SopInstance], *, identified: bool = False) -> tuple[bytes, Dataset]:
    buffer = io.BytesIO()
    build_sr(study, StudyIdentity.of(instances, include_identifiers=identified)).save_as(buffer)
    return buffer.getvalue(), dcmread(io.BytesIO(buffer.getvalue()))


def groups(document: Dataset) -> list[highdicom.sr.MeasurementsAndQualitativeEvaluations]:
    content = highdicom.sr.ComprehensiveSR.from_dataset(document).content
    assert isinstance(content, highdicom.sr.MeasurementReport)
    return content.get_image_measurement_groups()


def test_values_read_back(study: StudyResult, instances: list[SopInstance]) -> None:
    found, labels = {}, {}
    for group in groups(saved(study, instances)[1]):
        for measurement in group.get_measurements():
            found[measurement.name.scheme_designator, measurement.name.value] = measurement
        for evaluation in group.get_qualitative_evaluations():
            labels[evaluation.name.value] = evaluation[0].value.value
    assert len(found) == 21 + 10 * 2 + 9 * 3
    assert len(labels) == 10 + 9
    ejection = found["LN", "18043-0"]
    assert ejection.value == round(study["EF"].value)
    assert ejection.unit == codes.UCUM.Percent
    assert found["LN", "18026-5"].unit.value == "mL"
    assert found["99PANECHO", "RVSVel"].unit.value == "cm/s"
    severe = found["99PANECHO", "AVStenosis:Severe:P"]
    assert (severe.value, severe.unit.value) == (round(study["AVStenosis"].probabilities["Severe"], 3), "1")
    assert found["99PANECHO", "GLS"].value == -round(study["GLS"].value, 1)
    assert ("LN", "79939-5") not in found  # the gradient of a stenosis
    assert found["LN", "79937-9"].value == round(study["TVPkGrad"].value)
    assert labels["AVStenosis"] == f"AVStenosis:{study['AVStenosis'].label}"


def test_every_group_names_the_model_and_its_sources(study: StudyResult, instances: list[SopInstance]) -> None:
    _, document = saved(study, instances, identified=True)
    found = groups(document)
    assert len(found) == len({prediction.task.group for prediction in study.predictions.values()})
    for group in found:
        assert [image.referenced_sop_instance_uid for image in group.source_images] == [f"{UID}.4"]
        texts = [item.TextValue for item in group[0].ContentSequence if item.ValueType == "TEXT"]
        assert "PanEcho" in texts
        assert any("weights stand-in 0" in text for text in texts)
        assert "num_clips=4" in texts


def test_report_is_research_unverified_and_says_so(study: StudyResult, instances: list[SopInstance]) -> None:
    _, document = saved(study, instances)
    assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert document.ContentQualification == "RESEARCH"
    comments = [item.TextValue for item in document.ContentSequence if item.ValueType == "TEXT"]
    assert "Not for clinical use." in comments
    assert any(comment.startswith("stand-in weights") for comment in comments)


def test_with_identifiers_it_joins_the_study(study: StudyResult, instances: list[SopInstance]) -> None:
    written, document = saved(study, instances, identified=True)
    assert document.StudyInstanceUID == UID
    assert document.PatientName == "SECRET^PATIENT^Ä"
    assert "PatientIdentityRemoved" not in document
    assert all(secret.encode() in written for secret in SECRETS[:-1])


def test_without_identifiers_it_holds_none(study: StudyResult, instances: list[SopInstance]) -> None:
    written, document = saved(study, instances)
    assert [secret for secret in SECRETS if secret.encode() in written] == []
    assert document.PatientIdentityRemoved == "YES"
    assert document.PatientID.startswith("patient-")
    assert document.StudyInstanceUID.startswith("2.25.")
    again = saved(study, instances)[1]
    assert (again.StudyInstanceUID, again.PatientID) == (document.StudyInstanceUID, document.PatientID)
    assert again.SOPInstanceUID != document.SOPInstanceUID


def test_odd_header_values_neither_fail_nor_reach_a_log(
    study: StudyResult,
    instances: list[SopInstance],
    recwarn: pytest.WarningsRecorder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd = replace(instances[0], patient_name="SECRET", patient_birth_date="1901-02-03", study_date="SECRET")
    build_sr(study, StudyIdentity.of([odd, instances[1]], include_identifiers=True))
    assert not any("SECRET" in str(warning.message) for warning in recwarn)
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("kind", ["1.2.840.10008.5.1.4.1.1.3", "1.2.840.113543.6.6.1.3.10002"])
def test_retired_and_private_kinds_are_referred_to_outside_the_image_library(
    study: StudyResult, instances: list[SopInstance], kind: str
) -> None:
    private = replace(instances[0], sop_class_uid=kind)
    _, document = saved(study, [private, instances[1]])
    (image,) = groups(document)[0].source_images
    assert image.referenced_sop_class_uid == kind


def test_study_without_dicom_cannot_be_reported(study: StudyResult, instances: list[SopInstance]) -> None:
    with pytest.raises(RequestError, match="refers to DICOM files"):
        saved(study, [instances[1], instances[1]])


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump is not installed; Debian's package is dcmtk")
@pytest.mark.parametrize("identified", [False, True])
def test_dcmtk_reads_it(tmp_path: Path, study: StudyResult, instances: list[SopInstance], *, identified: bool) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(saved(study, instances, identified=identified)[0])
    finished = subprocess.run(["dsrdump", "+Ps", "+Pl", path], capture_output=True, text=True, check=True)  # noqa: S607 - on PATH
    assert "Comprehensive SR Document" in finished.stdout
    assert "Left Ventricular Ejection Fraction by US" in finished.stdout
    assert "Not for clinical use." in finished.stdout
    assert "E: " not in finished.stderr


@pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed; Debian's package is dicom3tools"
)
@pytest.mark.parametrize("identified", [False, True])
def test_dciodvfy_finds_no_error(
    tmp_path: Path, study: StudyResult, instances: list[SopInstance], *, identified: bool
) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(saved(study, instances, identified=identified)[0])
    finished = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)  # noqa: S607 - on PATH
    said = finished.stdout + finished.stderr
    assert "ComprehensiveSR" in said
    assert "Error" not in said
