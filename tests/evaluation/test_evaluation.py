"""A whole evaluation on invented studies, against numbers computed by hand and by scikit-learn."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, mean_absolute_error, roc_auc_score

from panecho_evaluation.arrays import Floats
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.estimates import Estimate
from panecho_evaluation.evaluation import Evaluation, EvaluationSettings, evaluate
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.results import Results, read_results, read_videos
from panecho_evaluation.subgroups import Subgroups
from panecho_evaluation.summary import summaries
from panecho_evaluation.thresholds import ThresholdRule
from support.invented_results import chosen, write_study

EFFUSION, EF, GLS, STENOSIS = chosen("pericardial-effusion", "EF", "GLS", "AVStenosis")
TASKS = (EFFUSION, EF, GLS, STENOSIS)
STUDIES = 60
FEW_ROUNDS = EvaluationSettings(rounds=50)


class Invented:
    """60 studies of 40 patients with 1 to 4 videos each, predicted by two models, and their labels."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(7)
        self.folder = folder
        self.patients = rng.integers(0, 40, STUDIES)
        self.sex = rng.choice(["F", "M"], STUDIES)
        self.ef = np.round(rng.normal(55, 10, STUDIES), 1)
        self.gls = np.where(rng.random(STUDIES) < 0.3, np.nan, np.round(rng.normal(18, 3, STUDIES), 1))
        self.effusion = (rng.random(STUDIES) < 0.3).astype(int)
        self.stenosis = rng.integers(0, 3, STUDIES)
        self.videos: dict[str, list[Floats]] = {}
        for run, noise in {"released": 6.0, "tuned": 3.0}.items():
            self.videos[run] = [self._study(rng, run, study, noise) for study in range(STUDIES)]
        lines = ["study,patient,sex,EF,GLS,pericardial-effusion,AVStenosis"]
        for study in range(STUDIES):
            gls = "" if np.isnan(self.gls[study]) else self.gls[study]
            finding = EFFUSION.classes[0] if self.effusion[study] else EFFUSION.classes[1]
            grade = STENOSIS.classes[self.stenosis[study]]
            of = f"M{self.patients[study]},{self.sex[study]}"
            lines.append(f"study-{study:02},{of},{self.ef[study]},{gls},{finding},{grade}")
        (folder / "labels.csv").write_text("\n".join(lines))

    def _study(self, rng: np.random.Generator, run: str, study: int, noise: float) -> Floats:
        """Write a study, and return EF, probability of effusion and of each grade, of each video."""
        videos, rows = {}, []
        for video in range(int(rng.integers(1, 5))):
            ef = self.ef[study] + rng.normal(0, noise)
            effusion = 1 / (1 + np.exp(-(3 * self.effusion[study] - 1.5 + noise / 3 * rng.normal())))
            powers = np.exp(2 * np.eye(3)[self.stenosis[study]] + noise / 6 * rng.normal(size=3))
            grades = powers / powers.sum()
            rows.append([ef, effusion, *grades])
            videos[f"{study}-{video}"] = {EFFUSION: [effusion], EF: [ef], GLS: [18.0], STENOSIS: grades.tolist()}
        write_study(self.folder / run, f"study-{study:02}", None, videos)
        return np.array(rows)

    def predicted(self, run: str) -> Floats:
        """The means over the videos: EF, effusion and the grades, [60, 5]."""
        return np.array([videos.mean(axis=0) for videos in self.videos[run]])


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Invented:
    return Invented(tmp_path_factory.mktemp("invented"))


def as_named(study: str, _: Sequence[str]) -> list[str]:
    return [study]


def evaluated(
    invented: Invented, *names: str, settings: EvaluationSettings = FEW_ROUNDS, videos: bool = False
) -> Evaluation:
    runs = {name: read_results(invented.folder / name) for name in names}
    studies = match_studies(read_labels(invented.folder / "labels.csv", TASKS), runs, as_named)
    of_videos = {name: read_videos(results) for name, results in runs.items()} if videos else {}
    return evaluate(runs, studies, settings, videos=of_videos)


def find(evaluation: Evaluation, task: str, metric: str, class_name: str = "", **others: str) -> Estimate:
    key = {"run": "released", "reference": "", "cohort": "all"} | others
    (found,) = [
        of
        for of in evaluation.estimates
        if (of.task, of.metric, of.class_name) == (task, metric, class_name)
        and all(getattr(of, name) == value for name, value in key.items())
    ]
    return found


def test_numbers_of_studies_equal_those_computed_by_hand(invented: Invented) -> None:
    evaluation = evaluated(invented, "released")
    predicted = invented.predicted("released")
    mae = find(evaluation, "EF", "mae")
    assert mae.value == pytest.approx(mean_absolute_error(invented.ef, predicted[:, 0]))
    assert (mae.studies, mae.patients) == (STUDIES, len(set(invented.patients)))
    assert mae.low < mae.value < mae.high
    effusion = find(evaluation, "pericardial-effusion", "auroc", "mild_mod_severe")
    assert effusion.value == pytest.approx(roc_auc_score(invented.effusion, predicted[:, 1]))
    of_classes = roc_auc_score(np.eye(3)[invented.stenosis], predicted[:, 2:], average=None)
    assert find(evaluation, "AVStenosis", "auroc").value == pytest.approx(np.mean(of_classes))
    for name, value in zip(STENOSIS.classes, of_classes, strict=True):
        assert find(evaluation, "AVStenosis", "auroc", name).value == pytest.approx(value)
    # Grades in order: None, Mild|Moderate, Severe.
    grades = np.array([1, 0, 2])
    kappa = cohen_kappa_score(grades[invented.stenosis], grades[predicted[:, 2:].argmax(axis=1)], weights="quadratic")
    assert find(evaluation, "AVStenosis", "kappa_quadratic").value == pytest.approx(kappa)


def test_missing_labels_leave_out_a_study_of_one_task_only(invented: Invented) -> None:
    gls = find(evaluated(invented, "released"), "GLS", "mae")
    assert gls.studies == np.isfinite(invented.gls).sum()
    assert gls.value == pytest.approx(np.nanmean(np.abs(invented.gls - 18)))


def test_the_same_seed_gives_the_same_intervals(invented: Invented) -> None:
    one, again = (evaluated(invented, "released").estimates for _ in range(2))
    assert repr(one) == repr(again)
    other = evaluated(invented, "released", settings=EvaluationSettings(rounds=50, seed=1))
    assert find(other, "EF", "mae").low != find(evaluated(invented, "released"), "EF", "mae").low
    none = evaluated(invented, "released", settings=EvaluationSettings(rounds=0))
    assert np.isnan(find(none, "EF", "mae").low)


def test_differences_are_paired(invented: Invented) -> None:
    evaluation = evaluated(invented, "released", "tuned", settings=EvaluationSettings(rounds=400))
    one, other = find(evaluation, "EF", "mae"), find(evaluation, "EF", "mae", run="tuned")
    difference = find(evaluation, "EF", "mae", run="tuned", reference="released")
    assert difference.value == pytest.approx(other.value - one.value)
    assert difference.high < 0
    # A run compared with itself differs by nothing in every resample: no other pairing gives this.
    twin = dict.fromkeys(("released", "again"), read_results(invented.folder / "released"))
    studies = match_studies(read_labels(invented.folder / "labels.csv", TASKS), twin, as_named)
    same = evaluate(twin, studies, EvaluationSettings(rounds=50))
    for of in same.estimates:
        if of.reference and np.isfinite(of.value):
            assert of.value == 0
            assert of.low == of.high == 0 or np.isnan(of.low)


def test_subgroups_are_evaluated_like_all(invented: Invented) -> None:
    settings = EvaluationSettings(rounds=50, subgroups=(Subgroups("sex"), Subgroups.parse("EF:50")))
    evaluation = evaluated(invented, "released", settings=settings)
    error = np.abs(invented.predicted("released")[:, 0] - invented.ef)
    for sex in ("F", "M"):
        of = find(evaluation, "EF", "mae", cohort=f"sex={sex}")
        assert of.value == pytest.approx(error[invented.sex == sex].mean())
        assert of.studies == (invented.sex == sex).sum()
    assert find(evaluation, "EF", "mae", cohort="EF<50").value == pytest.approx(error[invented.ef < 50].mean())
    assert evaluation.subgroups == {"sex": ("sex=F", "sex=M"), "EF": ("EF<50", "EF>=50")}
    with pytest.raises(EvaluationError, match="no column scanner for subgroups; there are: sex, EF"):
        evaluated(invented, "released", settings=EvaluationSettings(subgroups=(Subgroups("scanner"),)))


def test_videos_are_scored_one_by_one_and_some_at_a_time(invented: Invented) -> None:
    evaluation = evaluated(invented, "released", videos=True)
    videos = invented.videos["released"]
    errors = np.concatenate([np.abs(of[:, 0] - ef) for of, ef in zip(videos, invented.ef, strict=True)])
    single = find(evaluation, "EF", "mae", cohort="video")
    assert single.value == pytest.approx(errors.mean())
    assert single.studies == len(errors)
    assert single.patients == len(set(invented.patients))
    assert evaluation.videos == {"released": ("video", "videos<=1", "videos<=2")}
    one, two, all_ = (find(evaluation, "EF", "mae", cohort=name) for name in ("videos<=1", "videos<=2", "all"))
    assert one.studies == two.studies == all_.studies == STUDIES
    assert one.value > two.value > all_.value  # of these studies: errors of videos are independent


def test_thresholds_are_half_unless_given_or_chosen(invented: Invented) -> None:
    called = invented.predicted("released")[:, 1] >= 0.5
    sensitivity = find(evaluated(invented, "released"), "pericardial-effusion", "sensitivity", "mild_mod_severe")
    assert sensitivity.value == pytest.approx(called[invented.effusion == 1].mean())
    rule = ThresholdRule.parse(["pericardial-effusion=0.3"], "sensitivity=0.9")
    evaluation = evaluated(invented, "released", settings=EvaluationSettings(rounds=20, thresholds=rule))
    assert find(evaluation, "pericardial-effusion", "threshold", "mild_mod_severe").value == 0.3
    for name in STENOSIS.classes:
        assert find(evaluation, "AVStenosis", "sensitivity", name).value >= 0.9
    rule = ThresholdRule.parse(["AVStenosis=0.3"])
    with pytest.raises(EvaluationError, match="no class 'AVStenosis' is evaluated; thresholds can be given for"):
        evaluated(invented, "released", settings=EvaluationSettings(thresholds=rule))


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (["EF"], None),
        (["x=2"], None),
        (["x=y"], None),
        ([], "best"),
        ([], "sensitivity"),
        ([], "youden=1"),
        ([], "specificity=2"),
    ],
)
def test_thresholds_that_are_none(given: list[str], choice: str | None) -> None:
    with pytest.raises(EvaluationError, match=r"is not |has no target"):
        ThresholdRule.parse(given, choice)


def test_a_share_of_all_studies_has_an_interval_that_is_not_a_point(tmp_path: Path) -> None:
    lines = ["study,pericardial-effusion"]
    for number in range(12):
        write_study(tmp_path / "run", f"s{number}", None, {f"v{number}": {EFFUSION: [0.9 if number < 5 else 0.1]}})
        lines.append(f"s{number},{int(number < 5)}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    runs = {"released": read_results(tmp_path / "run")}
    studies = match_studies(read_labels(tmp_path / "labels.csv", TASKS), runs, as_named)
    evaluation = evaluate(runs, studies, EvaluationSettings(rounds=50))
    sensitivity = find(evaluation, "pericardial-effusion", "sensitivity", "mild_mod_severe")
    assert (sensitivity.value, sensitivity.high) == (1, 1)
    assert sensitivity.low == pytest.approx(0.5655, abs=1e-4)  # Wilson, 5 of 5
    assert evaluation.patients_known == 0
    assert evaluation.patient_count == 12


def test_labels_in_another_unit_or_sign_are_pointed_out(tmp_path: Path) -> None:
    for number in range(3):
        write_study(tmp_path / "run", f"s{number}", None, {f"v{number}": {EF: [55.0 + number], GLS: [18.0]}})
    (tmp_path / "labels.csv").write_text("study,EF,GLS\ns0,0.55,-18\ns1,0.6,-17\ns2,0.5,-20\n")
    runs = {"released": read_results(tmp_path / "run")}
    studies = match_studies(read_labels(tmp_path / "labels.csv", TASKS), runs, as_named)
    unit, sign = evaluate(runs, studies, EvaluationSettings(rounds=0)).warnings
    assert unit == "EF: the median label is 0.55, the median prediction 56 %; are the labels in another unit?"
    assert "GLS: the median label is -18, the median prediction 18 %; are the signs the same?" in sign


def test_a_task_without_any_label_is_left_out_and_none_at_all_is_refused(invented: Invented, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("study,EF,GLS\nstudy-00,55,\n")
    runs = {"released": read_results(invented.folder / "released")}
    studies = match_studies(read_labels(path, TASKS), runs, as_named)
    assert [task.key for task in evaluate(runs, studies, EvaluationSettings(rounds=5)).tasks] == ["EF"]
    path.write_text("study,EF,GLS\nstudy-00,,\n")
    studies = match_studies(read_labels(path, TASKS), runs, as_named)
    with pytest.raises(EvaluationError, match="has no label of a study and task that was predicted"):
        evaluate(runs, studies, EvaluationSettings(rounds=5))


def test_runs_that_mean_different_things_by_a_task_are_not_compared(invented: Invented, tmp_path: Path) -> None:
    runs: dict[str, Results] = {"released": read_results(invented.folder / "released")}
    for study in range(3):
        write_study(tmp_path / "other", f"study-{study:02}", None, {"v": {replace(EF, unit="cm"): [55.0]}})
    runs["other"] = read_results(tmp_path / "other")
    studies = match_studies(read_labels(invented.folder / "labels.csv", TASKS), runs, as_named)
    with pytest.raises(EvaluationError, match="EF has other classes or another unit in some runs"):
        evaluate(runs, studies, EvaluationSettings(rounds=5))


def test_the_summary_is_over_tasks(invented: Invented) -> None:
    evaluation = evaluated(invented, "released")
    found = {summary.metric: summary for summary in summaries(evaluation)}
    auroc = [
        find(evaluation, "pericardial-effusion", "auroc", "mild_mod_severe").value,
        find(evaluation, "AVStenosis", "auroc").value,
    ]
    assert found["auroc"].tasks == 2
    assert found["auroc"].median == pytest.approx(np.median(auroc))
    assert found["nmae"].tasks == 2


def test_progress_goes_from_nothing_to_everything(invented: Invented) -> None:
    runs = {"released": read_results(invented.folder / "released")}
    studies = match_studies(read_labels(invented.folder / "labels.csv", TASKS), runs, as_named)
    told: list[tuple[str, float]] = []
    settings = EvaluationSettings(rounds=5, subgroups=(Subgroups("sex"),))
    evaluate(runs, studies, settings, on_phase=lambda name, share: told.append((name, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert [*dict.fromkeys(name for name, _ in told)] == ["all", "sex=F", "sex=M"]
