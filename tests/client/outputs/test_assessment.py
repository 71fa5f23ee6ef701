"""What reports say of three invented studies: what is abnormal first, what contradicts itself, what is not judged."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from panecho_client import RequestError, StudyResult
from panecho_client._description import Description
from panecho_client._identity.headers import SopInstance
from panecho_client._identity.patient_facts import age_in_years, body_surface
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._result_views.variables import clinical_order
from panecho_client.outputs.assessment import assess
from panecho_client.outputs.class_sentences import CLASSES
from panecho_client.outputs.reference_ranges import load_ranges
from panecho_client.outputs.task_facts import NAMES
from support.reported_studies import headers, reported


def changed(study: StudyResult, **values: float) -> StudyResult:
    predictions = {**study.predictions} | {key: replace(study[key], value=value) for key, value in values.items()}
    return replace(study, predictions=predictions)


def test_a_normal_study_has_nothing_abnormal_and_one_undecided() -> None:
    found = assess(*reported("normal"))
    assert found.abnormal == ()
    assert found.contradictions == ()
    assert [line.key for line in found.undecided] == ["AVRegurg"]
    assert "— or:" in found.undecided[0].text
    assert found.normal[0].group == "Left ventricle"
    assert found.normal[-1].group == "Pericardium"


def test_what_is_most_severe_stands_first() -> None:
    found = assess(*reported("severe"))
    severities = [line.severity for line in found.abnormal]
    assert severities == sorted(severities, reverse=True)
    texts = {line.text: line.evidence for line in found.abnormal}
    assert texts["LV ejection fraction severely reduced"] == "24 %, range women 54 to 74"
    assert texts["Aortic stenosis, severe"].startswith("P = ")
    assert texts["TAPSE moderately reduced"] == "1.1 cm, range ≥ 1.7"
    assert texts["Aortic valve peak velocity severely increased"] == "4.3 m/s, range ≤ 2"
    assert found.contradictions == ()


def test_what_cannot_be_or_contradicts_itself_is_said() -> None:
    found = assess(*reported("contradictory"))
    assert "LV posterior wall, diastole: -0.5 cm is impossible; do not use it." in found.contradictions
    assert "LV ejection fraction is 59 %, but the LV volumes give 22 %." in found.contradictions
    assert (
        "LV ejection fraction is 59 %, but LV systolic function is called moderately or severely reduced."
        in found.contradictions
    )
    assert not any("posterior wall" in line.text for line in found.abnormal)


def test_values_are_rounded_to_what_the_model_can_know_and_strain_is_negative() -> None:
    texts = {value.key: value.text for value in assess(*reported("normal")).measured}
    assert (texts["EF"], texts["LVEDV"], texts["IVSd"], texts["GLS"]) == ("61 %", "101 mL", "0.8 cm", "-20.4 %")


@pytest.mark.parametrize(("velocity", "verdict"), [(2.0, "within"), (2.3, "borderline"), (2.7, "mildly increased")])
def test_grey_zones_are_not_within(velocity: float, verdict: str) -> None:
    study, identity = reported("normal")
    found = assess(changed(study, **{"AVPkVel(m|s)": velocity, "E|EAvg": 11.0}), identity)
    verdicts = {value.key: value.verdict for value in found.measured}
    assert verdicts["AVPkVel(m|s)"] == verdict
    assert verdicts["E|EAvg"] == "borderline"


@pytest.mark.parametrize(
    "facts", [{"patient_birth_date": "20150101"}, {"patient_birth_date": "", "patient_age": "006M"}]
)
def test_no_adult_range_is_applied_to_a_child(facts: dict[str, str]) -> None:
    study, _ = reported("severe")
    found = assess(study, StudyIdentity.of(headers(study, **facts)))
    assert "under 18" in (found.no_ranges or "")
    assert {value.verdict for value in found.measured} == {""}
    assert all(value.ranges == () for value in found.measured)
    assert {value.why_no_range for value in found.measured if value.task} == {found.no_ranges}


def test_age_and_body_surface_are_derived_and_identify_nobody() -> None:
    header = SopInstance(path=Path("a"), patient_birth_date="19010203", study_date="20261128", patient_age="012Y")
    assert age_in_years(header) == 90
    assert age_in_years(replace(header, study_date=None)) == 12
    assert age_in_years(replace(header, patient_birth_date="20081129")) == 17
    assert age_in_years(replace(header, patient_birth_date="20081128")) == 18
    assert age_in_years(replace(header, study_date=None, patient_age="011M")) == 0
    assert age_in_years(replace(header, study_date=None, patient_age="old")) is None
    known = replace(header, patient_size="1.80", patient_weight="80")
    assert body_surface(known) == 2.0  # Du Bois: 1.996
    for wrong in ("180", "0", "", "x"):
        assert body_surface(replace(known, patient_size=wrong)) is None
    _, identity = reported("normal")
    assert (identity.identified, identity.patient_age, identity.body_surface) == (False, 61, 1.7)
    assert identity.patient_birth_date is None


def test_values_per_body_surface_need_the_surface() -> None:
    with_surface = {value.key: value.text for value in assess(*reported("severe")).measured}
    assert (with_surface["LAVI"], with_surface["LVEDVi"], with_surface["LVESVi"]) == (
        "69 mL/m²", "136 mL/m²", "101 mL/m²",
    )  # fmt: skip
    without = {value.key for value in assess(*reported("severe", patient_weight="")).measured}
    assert not without & {"LAVI", "LVEDVi", "LVESVi"}


def test_every_value_has_an_expected_error_and_its_spread() -> None:
    found = assess(*reported("normal"))
    errors = [*(value.error for value in found.measured), *(value.error for value in found.classified)]
    assert "not published" not in errors
    ejection = next(value for value in found.measured if value.key == "EF")
    assert ejection.error == "± 4.2 %"
    assert ejection.spread.endswith("(4 videos)")


def test_every_class_of_the_release_has_its_words_in_clinical_order(description: Description) -> None:
    for task in description.tasks:
        if task.kind == "regression":
            assert task.key in NAMES
        else:
            assert set(CLASSES[task.key]) == set(task.classes)
            severities = [CLASSES[task.key][name][0] for name in clinical_order(task.classes)]
            assert severities == sorted(severities)
            assert severities[0] == 0


def test_a_study_without_numbers_is_told(study: StudyResult) -> None:
    broken = {key: replace(of, value=math.nan) for key, of in study.predictions.items() if of.task.kind == "regression"}
    found = assess(replace(study, predictions=broken), reported("normal")[1])
    assert len(found.contradictions) == len(broken)


def test_a_site_has_its_own_ranges(tmp_path: Path) -> None:
    path = tmp_path / "ranges.csv"
    path.write_text("task,sex,low,high,note,source\nEF,,65,80,ours,Our laboratory 2026\nTAPSE,,,,,\n")
    verdicts = {value.key: value.verdict for value in assess(*reported("normal"), load_ranges(path)).measured}
    assert (verdicts["EF"], verdicts["TAPSE"], verdicts["LVEDV"]) == ("below", "", "within")
    for wrong in ("EF,X,1,2,,", "EF,,5,2,,", "EF,,a,2,,"):
        path.write_text(f"task,sex,low,high,note,source\n{wrong}\n")
        with pytest.raises(RequestError, match="line 2: low and high are numbers"):
            load_ranges(path)
    path.write_text("task,low\n")
    with pytest.raises(RequestError, match="columns of ranges are task,sex,low"):
        load_ranges(path)


def test_unknown_sex_depends_on_sex_only_where_it_does() -> None:
    study, identity = reported("normal")
    anyone = replace(identity, patient_sex=None)
    verdicts = {value.key: value.verdict for value in assess(changed(study, EF=53.0), anyone).measured}
    assert verdicts["EF"] == "depends on sex"
    assert isinstance(anyone, StudyIdentity)
