import re
from pathlib import Path

import pytest
import yaml

from panecho_training.errors import RecipeError
from panecho_training.learning_rate import LearningRate
from panecho_training.recipe import Recipe, presets
from panecho_training.task_choice import NewTask, candidate_tasks

PAGE = (Path(__file__).parents[2] / "docs/reference/training.md").read_text()


@pytest.mark.parametrize("name", presets())
def test_presets_are_whole_recipes(name: str, tmp_path: Path) -> None:
    recipe = Recipe.read(name)
    assert recipe.name == name
    (tmp_path / "again.yaml").write_text(recipe.to_yaml())
    assert Recipe.read(tmp_path / "again.yaml") == recipe


def test_published_settings() -> None:
    names = ("panecho-40", "echonet-dynamic", "echonet-pediatric")
    training, dynamic, pediatric = (Recipe.read(name) for name in names)
    assert (training.loss, training.schedule, training.augment) == ("published", "plateau", True)
    assert training.head_dropout == 0.25
    assert {recipe.batch_size for recipe in (training, dynamic, pediatric)} == {128}
    assert {recipe.learning_rate for recipe in (training, dynamic, pediatric)} == {1e-4}
    assert (training.monitor, dynamic.monitor, dynamic.patience, dynamic.epochs) == ("score", "loss", 10, 30)
    assert pediatric.folds == 10


def test_every_setting_is_documented() -> None:
    settings = PAGE.partition("## Settings")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", settings))
    assert [name for name in Recipe.model_fields if name not in named and name != "name"] == []
    assert [name for name in presets() if f"`{name}`" not in settings] == []


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("epochz: 3\nclip_length: 999\nloss: l1\nlearning_rate: -1\n")
    with pytest.raises(RecipeError) as raised:
        Recipe.read(tmp_path / "wrong.yaml")
    for name in ("epochz", "clip_length (999)", "loss ('l1')", "learning_rate (-1)"):
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep_heads": "true"}, "keep_heads needs freeze: backbone"),
        ({"freeze": "backbone", "augment": "true"}, "augment must be false"),
        ({"fold": "3"}, "fold 3 needs folds"),
        ({"tasks": "[]"}, "tasks is empty"),
        ({"image_encoder": "r3d_18", "freeze": "image"}, "no image encoder to freeze"),
        ({"tasks": "[{key: EF, kind: regression, description: x}]"}, "EF is a task of PanEcho"),
        ({"tasks": "[{key: embedding, kind: regression, description: x}]"}, "cannot name a task"),
        ({"tasks": "[{key: a/b, kind: regression, description: x}]"}, "cannot name a task"),
        ({"tasks": "[{key: x, kind: binary, description: x, classes: [a]}]"}, "a binary one two"),
        ({"tasks": "[{key: x, kind: multiclass, description: x, classes: [a, a, b]}]"}, "two classes have one name"),
    ],
)
def test_settings_that_do_not_go_together(changes: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.read("own-videos", changes)


def test_a_recipe_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="neither a file nor a preset; the presets are echonet-dynamic"):
        Recipe.read("echonet")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(RecipeError, match="is not a recipe in YAML"):
        Recipe.read(tmp_path / "list.yaml")


def test_new_tasks_stand_behind_panechos() -> None:
    new = NewTask(key="calcified", kind="binary", description="x", classes=("absent", "present"))
    assert [task.key for task in candidate_tasks([new, "GLS", "EF"])] == ["EF", "GLS", "calcified"]
    assert candidate_tasks([new])[0].positive_class == "present"
    with pytest.raises(RecipeError, match="did you mean EF"):
        candidate_tasks(["EFF"])
    with pytest.raises(RecipeError, match="same key"):
        candidate_tasks([new, new])


def test_learning_rate() -> None:
    cosine = LearningRate(Recipe(schedule="cosine", epochs=2), steps=10)
    assert cosine.factor(0) == pytest.approx(1)
    assert cosine.factor(10) == pytest.approx(0.5)
    assert cosine.factor(19) < 0.01
    warm = LearningRate(Recipe(warm_up_epochs=1), steps=9)
    assert [warm.factor(update) for update in (0, 4, 9, 50)] == pytest.approx([0.1, 0.5, 1, 1])
    plateau = LearningRate(Recipe(schedule="plateau", plateau_patience=1), steps=9)
    for monitored in (1.0, 0.9, 0.95, 0.91):
        plateau.epoch_ended(monitored)
    assert plateau.factor(0) == pytest.approx(0.5)


def test_the_guides_recipe_is_one() -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/fine-tune.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    recipe = Recipe.of(yaml.safe_load(text), "guide")
    assert recipe.tasks is not None
    assert recipe.tasks[0] == "EF"
