"""What a model must reach."""

from collections.abc import Sequence

import pytest

from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.evaluation import Evaluation, EvaluationSettings, evaluate
from panecho_evaluation.labels import read_labels
from panecho_evaluation.matching import match_studies
from panecho_evaluation.minimums import Minimum, unmet
from panecho_evaluation.results import read_results
from support.invented_results import chosen, write_study

EFFUSION, EF, VELOCITY, STENOSIS = chosen("pericardial-effusion", "EF", "AVPkVel(m|s)", "AVStenosis")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """EF is 5 off in each of two studies; effusion and severe stenosis are ranked right; velocity is constant."""
    folder = tmp_path_factory.mktemp("minimums")
    for number in range(2):
        values = {
            EFFUSION: [0.2 + 0.6 * number],
            EF: [55.0],
            VELOCITY: [2.0],
            STENOSIS: [0.1, 0.8 - 0.7 * number, 0.1 + 0.7 * number],
        }
        write_study(folder / "run", f"s{number}", None, {"v": values})
    text = "study,EF,AVPkVel(m|s),pericardial-effusion,AVStenosis\ns0,50,2,0,None\ns1,60,2,1,Severe\n"
    (folder / "labels.csv").write_text(text)
    runs = {"run": read_results(folder / "run")}

    def as_named(study: str, _: Sequence[str]) -> list[str]:
        return [study]

    studies = match_studies(read_labels(folder / "labels.csv", runs["run"].tasks), runs, as_named)
    return evaluate(runs, studies, EvaluationSettings(rounds=0))


@pytest.mark.parametrize(
    "text",
    [
        "EF:mae<=5",
        "EF:MAE <= 5.0",
        "EF:mae<5.1",
        "EF:mae>4.9",
        "EF:mae>=5",
        "AVPkVel(m|s):mae<=0",
        "pericardial-effusion:auroc>=1",
        "AVStenosis:Severe:auroc>=1",
        "AVStenosis:auroc>=1",
        "AVStenosis:accuracy>=1",
    ],
)
def test_kept(evaluation: Evaluation, text: str) -> None:
    assert list(unmet(evaluation, [Minimum.parse(text)])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("EF:mae<=4.9", "run: EF:mae is 5, not <= 4.9"),
        ("EF:mae<5", "run: EF:mae is 5, not < 5"),
        ("AVPkVel(m|s):r2>=0", "run: AVPkVel(m|s):r2 is nan, not >= 0"),
        ("AVStenosis:Mild|Moderate:auroc>=0.5", "run: AVStenosis:Mild|Moderate:auroc is nan, not >= 0.5"),
    ],
)
def test_broken(evaluation: Evaluation, text: str, said: str) -> None:
    assert list(unmet(evaluation, [Minimum.parse(text)])) == [said]


@pytest.mark.parametrize("text", ["", "EF", "EF:mae", "EF:mae=6", "EF:mae<=", "EF:mae<=six", "EF:mae<=1e999", "mae<=6"])
def test_texts_that_are_no_bound(text: str) -> None:
    with pytest.raises(EvaluationError, match="such as 'EF:mae<=6'"):
        Minimum.parse(text)


def test_unknown_metrics_and_tasks(evaluation: Evaluation) -> None:
    with pytest.raises(EvaluationError, match=r"no metric 'auc'; did you mean auroc\?"):
        Minimum.parse("EF:auc>=0.9")
    with pytest.raises(EvaluationError, match=r"GLS:mae<=2 is about what was not evaluated; mae is known of: AVPk"):
        list(unmet(evaluation, [Minimum.parse("GLS:mae<=2")]))
    with pytest.raises(EvaluationError, match=r"EF:auroc>=0\.9 is about what was not evaluated"):
        list(unmet(evaluation, [Minimum.parse("EF:auroc>=0.9")]))
