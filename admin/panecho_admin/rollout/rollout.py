"""A rollout: another export goes live on a running server, and no request is lost or answered by both.

Triton loads its models one by one, and an ensemble takes whichever version of a step is there. So:

1. load: the new models are loaded next to those that are served, under names that end with ``_next``;
2. check: they are asked, as a separate ensemble;
3. switch: the ensemble ``panecho`` is loaded again, made of the next models. That is one step for the server: a request
   runs through the models that the ensemble had when it came;
4. settle: the served folder is replaced and the models are loaded from it under their own names, which no study needs
   now; ``panecho`` is made of them again, and the next models are unloaded.

Whatever fails, the folder is put back and ``panecho`` is loaded as it was: the server can be restarted at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panecho_admin.model_control import ModelControl
from panecho_admin.rollout.candidate_checks import Answer, check_frames, check_study, require_same
from panecho_admin.rollout.candidate_evaluation import Judge, judge_model
from panecho_admin.rollout.exported_repository import STEPS, Export, parameters_of, read_export
from panecho_admin.rollout.repository_folders import NEXT, Folders, uses_next
from panecho_admin.rollout.synthetic_cines import generated_cines, generated_frames
from panecho_client import PanEchoError, RequestError, ServerError
from panecho_client.triton import ENSEMBLE, IMAGE_ENCODER, Description, Parameters, Tensors, parse_description

ONE_CLIP: Parameters = {"num_clips": 1, "framing": "whole", "key_frames": True, "on_error": "fail"}

OnStep = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a rollout did.

    Attributes:
        before: What was served before.
        now: What is served now.
        done: Whether anything was changed: not where the same files are served already.
    """

    before: str
    now: str
    done: bool


def deploy(  # noqa: PLR0913 - what, from where, to where
    control: ModelControl,
    new: Path,
    served: Path,
    *,
    fewer_tasks: bool,
    on_step: OnStep,
    judge: Judge | None = None,
) -> Change:
    """Make a running server serve another export.

    Args:
        control: The server.
        new: What ``panecho export`` has written.
        served: The repository that the server reads, as this process sees it; afterwards it holds the new export, and
            ``SERVED.previous`` the old one.
        fewer_tasks: Whether the new export may lack tasks that are served: requests for them fail afterwards.
        on_step: Called with what is done next.
        judge: What the new models must satisfy on labelled studies, from ``load_judge``.

    Raises:
        RequestError: The new export does not go with this server, or the server lets nobody change its models.
        FilesError: The new export is damaged, or a folder cannot be written.
        ServerError: The new models cannot be loaded, or do not answer as they should. Then all is as before.
        PanEchoError: Nothing answers.
    """
    control.require_control()
    folders = Folders(served)
    with folders.locked():
        on_step("Looking at both exports")
        settle(control, folders, reload=uses_next(control.config(ENSEMBLE)))
        export = read_export(new)
        old = read_export(folders.served)
        _require_replaceable(control, export, old, fewer_tasks=fewer_tasks)
        needed = not export.is_copy_of(old)
        if needed:
            _Deployment(control, folders, export, on_step, judge).run()
    return Change(before=old.label, now=export.label, done=needed)


def roll_back(control: ModelControl, served: Path, *, on_step: OnStep) -> Change:
    """Make a running server serve ``SERVED.previous`` again; errors as of ``deploy``.

    Tasks that only the newer export has are no longer served.
    """
    previous = Folders(served).previous
    if not previous.is_dir():
        raise RequestError(f"{previous} does not exist: there is nothing to go back to.")
    return deploy(control, previous, served, fewer_tasks=True, on_step=on_step)


def settle(control: ModelControl, folders: Folders, *, reload: bool) -> None:
    """Have the server serve what the served folder holds, under the models' own names and no others.

    Args:
        control: The server.
        folders: Where its repository is.
        reload: Whether the server may have loaded something else.
    """
    if reload:
        for model in (*STEPS, ENSEMBLE, *_extra(control)):
            folders.touch(model)
            control.load(model)
    for model in (ENSEMBLE, *STEPS, IMAGE_ENCODER):
        control.unload(f"{model}{NEXT}")
    folders.tidy()


class _Deployment:
    """One change, from the loading of the next models to their unloading."""

    def __init__(
        self, control: ModelControl, folders: Folders, export: Export, on_step: OnStep, judge: Judge | None
    ) -> None:
        self._judge = judge
        self._control = control
        self._folders = folders
        self._export = export
        self._on_step = on_step
        self._answers: dict[str, Answer] = {}
        self._switched = False

    def run(self) -> None:
        """Do all of it, or undo what was done and say so."""
        try:
            self._load()
            self._check()
            self._switch()
            self._replace()
        except BaseException as error:
            self._on_step("Going back")
            self._undo(error)
            if isinstance(error, PanEchoError):
                text = f"{error} {self._export.folder} is not deployed; {self._control.url} serves what it did before."
                raise type(error)(text, code=error.code, paths=error.paths) from None
            raise

    def _load(self) -> None:
        self._on_step("Copying the new export")
        self._folders.stage(self._export)
        for model in (*STEPS, ENSEMBLE, *_extra(self._control)):
            self._on_step(f"Loading the new {model}")
            self._control.load(f"{model}{NEXT}")

    def _check(self) -> None:
        self._on_step("Checking what the new models answer")
        cines = len(generated_cines())
        self._answers[ENSEMBLE] = ask_study(self._control, f"{ENSEMBLE}{NEXT}")
        check_study(self._answers[ENSEMBLE], self._export.description.tasks, cines)
        for model in _extra(self._control):
            self._answers[model] = ask_frames(self._control, f"{model}{NEXT}")
            check_frames(self._answers[model], len(generated_frames()))
        if self._judge:
            self._on_step("Evaluating the new models on labelled studies")
            judge_model(self._control, f"{ENSEMBLE}{NEXT}", self._export.description.tasks, self._judge)

    def _switch(self) -> None:
        self._on_step("Switching to the new models")
        self._switched = True
        self._control.load(ENSEMBLE, self._folders.next_ensemble())
        self._require_new(ENSEMBLE)

    def _replace(self) -> None:
        self._on_step("Replacing the served repository, and loading it under its own names")
        self._folders.swap()
        settle(self._control, self._folders, reload=True)
        for model in self._answers:
            self._require_new(model)

    def _require_new(self, model: str) -> None:
        """Check that a model's own name leads to what was checked."""
        if model == ENSEMBLE and _description(self._control) != self._export.description:
            raise ServerError(f"`{ENSEMBLE}` was loaded, and is still that of another export.")
        answer = ask_study(self._control, model) if model == ENSEMBLE else ask_frames(self._control, model)
        require_same(answer, self._answers[model], model, self._export.manifest.precision)

    def _undo(self, error: BaseException) -> None:
        try:
            self._folders.swap_back()
            settle(self._control, self._folders, reload=self._switched)
        except (PanEchoError, OSError) as another:
            raise ServerError(
                f"{error} Then the server could not be brought back to {self._folders.served}: {another} "
                "Restart it, or run this again."
            ) from error


def ask_study(control: ModelControl, model: str) -> Answer:
    """Return all outputs of an ensemble for a study of generated cines, one clip each."""
    files = generated_cines()
    inputs: Tensors = {
        "video_bytes": np.frombuffer(b"".join(files), np.uint8),
        "video_sizes": np.array([len(file) for file in files], np.int64),
    }
    return control.ask(model, inputs, ONE_CLIP)


def ask_frames(control: ModelControl, model: str) -> Answer:
    """Return what an image encoder answers for generated frames."""
    return control.ask(model, {"frames": generated_frames()})


def _extra(control: ModelControl) -> list[str]:
    """Return the models of the repository that are no part of a study and are loaded."""
    return [IMAGE_ENCODER] if control.is_ready(IMAGE_ENCODER) else []


def _description(control: ModelControl) -> Description:
    return parse_description(parameters_of(control.config(ENSEMBLE)))


def _require_replaceable(control: ModelControl, export: Export, old: Export, *, fewer_tasks: bool) -> None:
    """Refuse an export that would not replace what is served."""
    if export.folder.resolve() == old.folder:
        raise RequestError(f"{export.folder} is the served repository itself; export to another folder.")
    if parameters_of(control.config(ENSEMBLE)) != old.parameters:
        raise RequestError(
            f"{control.url} serves another export than {old.folder} holds; give the --model-repository that it "
            "was started with, or restart it."
        )
    if set(export.models) != set(old.models):
        raise RequestError(
            f"{export.folder} holds {', '.join(export.models)}, and {old.folder} {', '.join(old.models)}; export "
            "the same --parts."
        )
    given_up = [task.key for task in old.description.tasks if task not in export.description.tasks]
    if given_up and not fewer_tasks:
        raise RequestError(
            f"{export.folder} lacks tasks that are served, or defines them otherwise: {', '.join(given_up)}. Requests "
            "for them would fail; --allow-fewer-tasks deploys it anyway."
        )
