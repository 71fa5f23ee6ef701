"""PDF, Encapsulated PDF, Simplified Adult Echo SR and FHIR: read by other programs, complete, and naming nobody."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage

from panecho_client import RequestError, StudyResult
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client.outputs import study_files
from panecho_client.outputs.dicom_pdf import build_dicom_pdf
from panecho_client.outputs.echo_sr import build_echo_sr
from panecho_client.outputs.echo_sr_content import CORE
from panecho_client.outputs.fhir import build_fhir
from panecho_client.outputs.pdf import render_pdf
from panecho_client.outputs.sr import build_sr
from panecho_client.outputs.stored_results import read_stored, write_stored
from support.reported_studies import UID, reported

SECRETS = ("Doe", "MRN-0815", "19650212", "1965-02-12", "20260213", "ACC-4711", UID)


def saved(document: Dataset) -> bytes:
    buffer = io.BytesIO()
    document.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def run(*command: str | Path) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return finished.stdout + finished.stderr


def test_pdf_holds_the_summary_on_numbered_pages_with_the_warning() -> None:
    assert render_pdf(*reported("severe"), key_frames=True).count(b"/Type /Page\n") >= 3
    assert render_pdf(*reported("severe")).startswith(b"%PDF-")
    assert render_pdf(*reported("severe")) == render_pdf(*reported("severe"))


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed; Debian's is poppler-utils")
def test_pdf_text(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(render_pdf(*reported("contradictory")))
    text = " ".join(run("pdftotext", "-layout", tmp_path / "a.pdf", "-").split())
    assert "LV posterior wall, diastole: -0.5 cm is impossible" in text
    assert text.count("Not for clinical use.") >= 3
    assert re.search(r"LV ejection fraction, % \d+ \d+ \d+ \d+ LV global", text)  # a column for each video
    assert re.search(r"Aortic stenosis, severe( \d+ %){4} ", text)
    assert re.search(r"video-[0-9a-f]{16}: not used. SPECTRAL_DOPPLER", text)
    assert "range from 1.7" in text  # the fonts have no sign for it


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed; Debian's is poppler-utils")
def test_pdf_of_more_videos_than_a_table_holds_and_a_name_that_the_fonts_lack(tmp_path: Path) -> None:
    study, identity = reported("normal", identified=True)
    files = (*identity.files[:4],) * 4
    named = replace(identity, patient_name="Dvořáková^Łucja", files=files)
    (tmp_path / "a.pdf").write_bytes(render_pdf(replace(study, videos=study.videos[:4] * 4), named, key_frames=True))
    text = " ".join(run("pdftotext", "-layout", tmp_path / "a.pdf", "-").split())
    assert "Dvoráková" in text
    assert [len(row.split()) for row in re.findall(r"TAPSE, cm((?: \d\.\d)+)", text)] == [6, 6, 4]


def test_encapsulated_pdf_is_the_pdf_and_joins_the_study_only_with_identifiers() -> None:
    study, identity = reported("normal", identified=True)
    document = dcmread(io.BytesIO(saved(build_dicom_pdf(study, identity))))
    assert document.SOPClassUID.name == "Encapsulated PDF Storage"
    content = document.EncapsulatedDocument[: document.EncapsulatedDocumentLength]
    assert content == render_pdf(study, identity)
    assert (document.StudyInstanceUID, document.PatientID, document.Modality) == (UID, "MRN-0815", "DOC")
    written = saved(build_dicom_pdf(*reported("normal")))
    assert [secret for secret in SECRETS if secret.encode() in written] == []


def test_echo_report_codes_what_cid_12300_lists_and_labels_the_rest() -> None:
    study, identity = reported("severe", identified=True)
    document = dcmread(io.BytesIO(saved(build_echo_sr(study, identity))))
    assert document.SOPClassUID.name == "Simplified Adult Echo SR Storage"
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "5300"
    assert (document.VerificationFlag, document.StudyInstanceUID) == ("UNVERIFIED", UID)
    numbers = {container.ConceptNameCodeSequence[0].CodeMeaning: list(container.ContentSequence)
               for container in document.ContentSequence if container.ValueType == "CONTAINER"}  # fmt: skip
    core = {item.ConceptNameCodeSequence[0].CodeValue: item for item in numbers["Pre-coordinated Measurements"]}
    assert core.keys() == {code.value for code in CORE.values()}
    value = core["79991-6"].MeasuredValueSequence[0]
    assert (float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue) == (24, "%")
    labels = [item.ContentSequence[0].TextValue for item in numbers["Adhoc Measurements"]]
    assert len(core) + len(labels) == 21
    assert "LAVol" in labels
    comments = [item.TextValue for item in document.ContentSequence if item.ValueType == "TEXT"]
    assert "Not for clinical use." in comments
    assert any("Aortic stenosis, severe" in comment for comment in comments)
    written = saved(build_echo_sr(*reported("severe")))
    assert [secret for secret in SECRETS if secret.encode() in written] == []


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump is not installed; Debian's package is dcmtk")
@pytest.mark.parametrize("kind", ["normal", "severe", "contradictory"])
def test_dcmtk_reads_both_templates(kind: str, tmp_path: Path) -> None:
    for name, build in (("Simplified Adult Echo SR", build_echo_sr), ("Comprehensive SR", build_sr)):
        path = tmp_path / "report.dcm"
        path.write_bytes(saved(build(*reported(kind, identified=True))))
        said = run("dsrdump", "+Ps", "+Pl", path)
        assert f"{name} Document" in said
        assert [line for line in said.splitlines() if line.startswith("E: ")] == []


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed; it is in dicom3tools")
@pytest.mark.parametrize("identified", [False, True])
def test_dciodvfy_finds_no_error_in_dicom_reports(tmp_path: Path, *, identified: bool) -> None:
    """dciodvfy of Debian 12 does not know the Simplified Adult Echo SR: it checks it as the Comprehensive SR that it is
    a part of."""
    study, identity = reported("severe", identified=identified)
    echo = build_echo_sr(study, identity)
    echo.SOPClassUID = echo.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    for document, name in (
        (echo, "ComprehensiveSR"),
        (build_sr(study, identity), "ComprehensiveSR"),
        (build_dicom_pdf(study, identity), "EncapsulatedPDF"),
    ):
        path = tmp_path / "report.dcm"
        path.write_bytes(saved(document))
        said = run("dciodvfy", path)
        assert name in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def resources(study: StudyResult, identity: StudyIdentity) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(build_fhir(study, identity))["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_fhir_holds_every_value_coded_and_the_summary() -> None:
    study, identity = reported("severe", identified=True)
    found = resources(study, identity)
    (report,), (patient,) = found["DiagnosticReport"], found["Patient"]
    observations = {
        coding["code"]: of
        for of in found["Observation"]
        for coding in of["code"]["coding"]
        if coding["system"] in ("http://loinc.org", "urn:panecho-triton:tasks")
    }
    assert set(study.predictions) <= observations.keys()
    assert len(report["result"]) == len(found["Observation"]) == 40 + 3
    ejection = observations["18043-0"]
    assert ejection["valueQuantity"] == {
        "value": 24, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%",
    }  # fmt: skip
    assert ejection["interpretation"][0]["text"] == "severely reduced"
    assert ejection["referenceRange"][0]["low"]["value"] == 54
    assert observations["79937-9"]["valueQuantity"]["code"] == "mm[Hg]"
    assert observations["AVStenosis"]["valueCodeableConcept"]["text"] == "Aortic stenosis, severe"
    assert len(observations["AVStenosis"]["component"]) == 3
    assert {of["status"] for of in (report, *found["Observation"])} == {"preliminary"}
    assert "Not for clinical use." in report["conclusion"]
    assert "LV ejection fraction severely reduced" in report["conclusion"]
    assert (patient["name"], patient["birthDate"]) == ([{"family": "Doe", "given": ["Jane"]}], "1965-02-12")


def test_fhir_without_identifiers_names_nobody() -> None:
    text = build_fhir(*reported("contradictory"))
    assert [secret for secret in SECRETS if secret in text] == []
    assert "is impossible; do not use it" in text


@pytest.mark.parametrize("identified", [False, True])
def test_stored_results_give_the_same_reports_again(tmp_path: Path, *, identified: bool) -> None:
    study, identity = reported("contradictory", identified=identified)
    write_stored(tmp_path, study, identity, key_frames=True)
    read, names = read_stored(tmp_path)
    assert names == identity
    assert render_pdf(read, names, key_frames=True) == render_pdf(study, identity, key_frames=True)
    assert build_fhir(read, names) == build_fhir(study, identity)
    assert read == study


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    for content in (b"{", b"[]", b'{"predictions": {}}'):
        (tmp_path / "prediction.json").write_bytes(content)
        with pytest.raises(RequestError, match="does not hold what a report needs"):
            read_stored(tmp_path)


def test_every_report_of_a_study_can_be_written(tmp_path: Path) -> None:
    study, identity = reported("normal", frames=False)
    study_files.Outputs.reports_in(tmp_path, study_files.REPORTS, of_dicom=True).write(study, identity)
    assert {path.name for path in tmp_path.iterdir()} == {*study_files.REPORTS.values()}
