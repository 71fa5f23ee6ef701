"""What a model repository holds, and which of its models are loaded at start."""

import zipfile
from pathlib import Path

from panecho_server.errors import RepositoryError
from panecho_server.settings import IMAGE_ENCODER, MODELS


def models_to_load(repository: Path, load: tuple[str, ...]) -> list[str]:
    """Return the names of the models that are loaded at start: those of a study, or the image encoder alone.

    Args:
        repository: What ``panecho export`` has written.
        load: Further models.

    Raises:
        RepositoryError: The repository lacks one of them, or its exported model, or that is cut off.
    """
    if (repository / "panecho" / "config.pbtxt").is_file():
        models, exported = [*MODELS], "backbone"
    elif (repository / IMAGE_ENCODER / "config.pbtxt").is_file():
        models, exported = [IMAGE_ENCODER], IMAGE_ENCODER
    else:
        raise RepositoryError(f"{repository} is not a PanEcho model repository; make one: panecho export --help")
    _check_model(repository, repository / exported / "1" / "model.pt")
    for model in load:
        if not (repository / model / "config.pbtxt").is_file():
            raise RepositoryError(
                f"{repository} holds no model {model!r}; `panecho export --parts` decides what it holds"
            )
    return list(dict.fromkeys([*models, *load]))


def _check_model(repository: Path, model: Path) -> None:
    if zipfile.is_zipfile(model):  # as TorchScript files are; their list of contents is at the end
        return
    wrong = "is damaged: it is no whole TorchScript file" if model.is_file() else "is missing"
    raise RepositoryError(
        f"{model} {wrong}; write it: "
        f"panecho export --checkpoint PATH --model-repository {repository} (or --stand-in 0 to try things out)"
    )


def profile_options(repository: Path, profile: str | None) -> dict[str, str]:
    """Return the options that choose a profile; None is each model's config.pbtxt.

    Raises:
        RepositoryError: No model of the repository knows it. Triton would serve config.pbtxt without a word.
    """
    if profile is None:
        return {}
    profiles = sorted({path.stem for path in repository.glob("*/configs/*.pbtxt")})
    if profile not in profiles:
        known = f"it has {', '.join(profiles)}" if profiles else "it has none; export it again"
        raise RepositoryError(f"{repository} has no profile {profile!r}: {known}.")
    return {"model-config-name": profile}
