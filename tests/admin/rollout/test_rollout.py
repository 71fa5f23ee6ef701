"""Rollouts on a real server while callers keep sending: nobody notices, but for the numbers."""

import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from torch.jit import ScriptModule

from panecho_admin.rollout.repository_folders import Folders
from panecho_client import PanEcho
from panecho_server import ServerSettings, TritonServer
from support.commands import Result
from support.commands import invoke as panecho
from support.exports import CONFIG, MODEL, TASKS, change_model, copy_export, edit
from support.wire import infer_study

pytestmark = [pytest.mark.slow, pytest.mark.long]

QUICK: dict[str, int | str] = {"num_clips": 1, "clip_length": 1}
OUTPUTS = ("EF", "pericardial-effusion", "embedding")
EF_LOGIT = 1  # pericardial-effusion has the only one before it
CALLERS = 2
KEY = "a-key-that-nobody-guesses"
SAME = 1e-3  # the last digits depend on what shares a batch

Answer = dict[str, NDArray[np.float32]]


def add_one_to_ef(module: ScriptModule) -> None:
    dict(module.named_parameters())["heads.bias"][EF_LOGIT] += 1


def make_one_logit_nan(module: ScriptModule) -> None:
    dict(module.named_parameters())["heads.bias"][EF_LOGIT] = np.nan


@pytest.fixture(scope="module")
def old(cold_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export that is served at first; the clips with which changes are checked are of one frame."""
    folder = copy_export(cold_repository, tmp_path_factory.mktemp("exports") / "old")
    edit(
        folder / "preprocessing/config.pbtxt",
        '"clip_length" value { string_value: "16" }',
        '"clip_length" value { string_value: "1" }',
    )
    return folder


@pytest.fixture(scope="module")
def new(old: Path) -> Path:
    """An export that computes otherwise in two steps: EF is 1 more, and pericardial effusion the other class."""
    folder = copy_export(old, old.with_name("new"))
    change_model(folder, add_one_to_ef)
    edit(folder / TASKS, '"inverted": true', '"inverted": false')
    edit(folder / CONFIG, r"\"inverted\": true", r"\"inverted\": false")
    edit(folder / CONFIG, r"\"name\": \"stand-in 0\"", r"\"name\": \"another head\"", count=-1)
    return folder


@pytest.fixture(scope="module")
def changing(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server of the old export, whose models this module may change."""
    settings = ServerSettings(
        model_repository=copy_export(old, tmp_path_factory.mktemp("served") / "repository"),
        options={"grpc-restricted-protocol": f"model-repository:admin-key={KEY}"},
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=tmp_path_factory.mktemp("log") / "tritonserver.log",
    )
    with TritonServer(settings) as running:
        yield running
    # A model that is still held, as after a failed reload of one in use, would have it wait in vain.
    assert "Exit timeout expired" not in settings.log_file.read_text()


class Callers:
    """Several callers that send one request after another and keep every answer."""

    def __init__(self, url: str, cine: bytes) -> None:
        self._url = url
        self._cine = cine
        self._ended = threading.Event()
        self.answers: list[list[Answer]] = []
        self.failures: list[Exception] = []

    def ask(self, client: Any) -> Answer:  # noqa: ANN401 - tritonclient is not typed
        return infer_study(client, triton, [self._cine], OUTPUTS, QUICK)

    def _send(self, answers: list[Answer]) -> None:
        client = triton.InferenceServerClient(self._url)
        while not self._ended.is_set():
            try:
                answers.append(self.ask(client))
            except triton.InferenceServerException as error:
                self.failures.append(error)
            time.sleep(0.1)

    @contextmanager
    def sending(self) -> Iterator[None]:
        self._ended.clear()
        self.answers = [[] for _ in range(CALLERS)]
        threads = [threading.Thread(target=self._send, args=(answers,)) for answers in self.answers]
        for thread in threads:
            thread.start()
        try:
            self.wait_for_more()
            yield
            self.wait_for_more()
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self) -> None:
        counts = [len(answers) for answers in self.answers]
        while any(len(answers) <= count + 1 for answers, count in zip(self.answers, counts, strict=True)):
            assert not self.failures
            time.sleep(0.05)


@pytest.fixture
def callers(changing: TritonServer, cine: Path) -> Callers:
    return Callers(changing.grpc_url, cine.read_bytes())


@pytest.fixture
def before(changing: TritonServer, callers: Callers) -> Answer:
    return callers.ask(triton.InferenceServerClient(changing.grpc_url))


def invoke(server: TritonServer, *arguments: str | Path) -> Result:
    served = server.settings.model_repository
    key = server.settings.log_file.with_name("admin-key")
    key.write_text(f"{KEY}\n")
    options: list[str | Path] = ["--url", server.grpc_url, "--model-repository", served, "--admin-key-file", key]
    return panecho("models", *arguments, *options)


def same(answer: Answer, expected: Answer) -> bool:
    return all(np.allclose(answer[name], expected[name], rtol=SAME, atol=SAME) for name in OUTPUTS)


def changed(answer: Answer) -> Answer:
    """Return what the new export makes of what the old one answers."""
    effusion = 1 - answer["pericardial-effusion"]
    return answer | {"EF": answer["EF"] + 1, "pericardial-effusion": effusion}


def assert_settled(server: TritonServer) -> None:
    """Only the models' own names are loaded, and nothing but the repository, its predecessor and a lock is left."""
    headers = {"triton-grpc-protocol-admin-key": KEY}
    index = triton.InferenceServerClient(server.grpc_url).get_model_repository_index(headers=headers).models
    assert sorted(model.name for model in index) == ["backbone", "panecho", "postprocessing", "preprocessing"]
    assert all(model.state == "READY" for model in index)
    left = {path.name for path in server.settings.model_repository.parent.iterdir()}
    assert left <= {"repository", "repository.previous", "repository.lock"}


def test_a_new_export_goes_live_and_back_under_load(
    changing: TritonServer, new: Path, callers: Callers, before: Answer
) -> None:
    after = changed(before)
    assert not same(before, after)
    with callers.sending():
        deployed = invoke(changing, "deploy", new, "--allow-fewer-tasks")
        assert deployed.exit_code == 0, deployed.output
        counts = [len(answers) for answers in callers.answers]
        callers.wait_for_more()
    assert callers.failures == []
    for answers, count in zip(callers.answers, counts, strict=True):
        is_new = [same(answer, after) for answer in answers]
        assert [same(answer, before) for answer in answers] == [not new for new in is_new]
        assert is_new == sorted(is_new)  # the old answers first, then the new ones
        assert all(is_new[count + 1 :])
        assert not is_new[0]
    assert "serves another head (fp32, exported " in deployed.stderr
    assert_settled(changing)
    with callers.sending():
        rolled_back = invoke(changing, "rollback")
        assert rolled_back.exit_code == 0, rolled_back.output
    assert callers.failures == []
    for answers in callers.answers:
        is_old = [same(answer, before) for answer in answers]
        assert [same(answer, after) for answer in answers] == [not old for old in is_old]
        assert is_old == sorted(is_old)
        assert not is_old[0]
        assert is_old[-1]
    assert_settled(changing)


@pytest.mark.parametrize("broken", ["nan", "not TorchScript"])
def test_a_broken_export_changes_nothing(
    changing: TritonServer, old: Path, callers: Callers, before: Answer, broken: str
) -> None:
    export = copy_export(old, old.with_name(broken))
    if broken == "nan":
        change_model(export, make_one_logit_nan)
        reason = "not finite"
    else:
        (export / MODEL).unlink()
        make_archive(export / MODEL)
        reason = "`backbone_next` cannot be loaded"
    with callers.sending():
        result = invoke(changing, "deploy", export)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert f"{export} is not deployed; {changing.grpc_url} serves what it did before" in result.stderr
    assert callers.failures == []
    assert all(same(answer, before) for answers in callers.answers for answer in answers)
    assert_settled(changing)


def test_a_model_that_is_not_good_enough_is_refused(
    changing: TritonServer, new: Path, cine: Path, tmp_path: Path
) -> None:
    """The new export says 1 % more for EF than the served one, whose answer is the label."""

    def served_ef() -> float:
        with PanEcho(changing.grpc_url) as panecho:
            return panecho.predict_study(cine, tasks=["EF"])["EF"].value

    label = served_ef()
    (tmp_path / "a4c.dcm").write_bytes(cine.read_bytes())
    table = tmp_path / "labels.csv"
    table.write_text(f"study,file,EF\none,a4c.dcm,{label}\n")
    evaluated = ("--allow-fewer-tasks", "--evaluate", table, "--min")
    refused = invoke(changing, "deploy", new, *evaluated, "EF:mae<=0.5")
    assert refused.exit_code == 1
    assert "the new model is not good enough: the new model: EF:mae is 1, not <= 0.5" in refused.stderr
    assert "is not deployed" in refused.stderr
    assert served_ef() == pytest.approx(label, abs=SAME)
    assert_settled(changing)
    deployed = invoke(changing, "deploy", new, *evaluated, "EF:mae<=1.5")
    assert deployed.exit_code == 0, deployed.output
    assert "Evaluating the new models on labelled studies" in deployed.stderr
    assert served_ef() == pytest.approx(label + 1, abs=SAME)
    assert invoke(changing, "rollback").exit_code == 0
    assert served_ef() == pytest.approx(label, abs=SAME)
    assert_settled(changing)


def test_a_late_failure_goes_all_the_way_back(
    changing: TritonServer, new: Path, callers: Callers, before: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch = Folders.touch

    def fail_once(_folders: Folders, model: str) -> None:
        monkeypatch.setattr(Folders, "touch", touch)
        raise OSError(28, "No space left on device", model)

    monkeypatch.setattr(Folders, "touch", fail_once)  # the first thing after the folders were swapped
    with callers.sending():
        result = invoke(changing, "deploy", new, "--allow-fewer-tasks")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "Going back" in result.stderr
    assert callers.failures == []
    for answers in callers.answers:
        assert all(same(answer, before) or same(answer, changed(before)) for answer in answers)
        assert same(answers[-1], before)
    assert "another head" not in (changing.settings.model_repository / CONFIG).read_text()
    assert_settled(changing)


def test_a_caller_without_the_key_changes_nothing(changing: TritonServer, new: Path) -> None:
    served = changing.settings.model_repository
    result = panecho("models", "deploy", new, "--url", changing.grpc_url, "--model-repository", served)
    assert result.exit_code == 1
    assert "--admin-key-file" in result.stderr
    assert_settled(changing)


def make_archive(path: Path) -> None:
    """Write a whole ZIP archive that is no TorchScript."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/readme", "nothing")
