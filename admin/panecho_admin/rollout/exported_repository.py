"""Reads an exported model repository and finds what is wrong with it before any server loads it."""

import filecmp
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.text_format import Parse, ParseError  # type: ignore[import-untyped]  # protobuf ships no types

from panecho_client import FilesError, Manifest, PanEchoError
from panecho_client.triton import (
    BACKBONE,
    ENSEMBLE,
    IMAGE_ENCODER,
    POSTPROCESSING,
    PREPROCESSING,
    Description,
    ModelConfig,
    parse_description,
)

STEPS = (PREPROCESSING, BACKBONE, POSTPROCESSING)
"""Models of which the ensemble is made, in its order."""

MODELS = (*STEPS, ENSEMBLE, IMAGE_ENCODER)
"""Everything that an export may hold, what is depended on first."""

EXPORTED = (BACKBONE, IMAGE_ENCODER)
VERSION = "1"
"""The version that every export holds. The manifest says which export is live, not this number."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """An exported model repository.

    Attributes:
        folder: Where it is.
        models: Names of its models: those of a study, and ``image_encoder`` where it has one.
        parameters: Of the ensemble's configuration, JSON texts by name: what the server says about itself.
        description: The same, parsed.
        manifest: How it was exported.
    """

    folder: Path
    models: tuple[str, ...]
    parameters: Mapping[str, str]
    description: Description
    manifest: Manifest

    @property
    def label(self) -> str:
        """What tells this export from others."""
        manifest = self.manifest
        return f"{self.description.weights.name} ({manifest.precision}, exported {manifest.exported})"

    def is_copy_of(self, other: "Export") -> bool:
        """Tell whether both hold the same models, byte for byte."""
        files, others = self.files(), other.files()
        return files == others and all(
            filecmp.cmp(self.folder / file, other.folder / file, shallow=False) for file in files
        )

    def files(self) -> set[Path]:
        """Return the files of the models, relative to the folder."""
        found = (path for model in self.models for path in (self.folder / model).rglob("*"))
        return {path.relative_to(self.folder) for path in found if path.is_file() and path.suffix != ".pyc"}


def read_export(folder: Path) -> Export:
    """Read a repository that ``panecho export`` has made servable.

    Raises:
        FilesError: It is not an exported repository, or a file of it is damaged or does not go with the others.
    """
    models = tuple(name for name in MODELS if (folder / name).is_dir())
    missing = [name for name in (ENSEMBLE, *STEPS) if name not in models]
    if missing:
        raise _wrong(folder, f"no model repository of studies: {', '.join(missing)} is missing")
    for name in models:
        _require_model(folder / name)
    parameters = parameters_of(read_config(folder / ENSEMBLE / "config.pbtxt"))
    try:
        description = parse_description(parameters)
    except PanEchoError as error:
        raise _wrong(folder / ENSEMBLE / "config.pbtxt", str(error)) from None
    manifest = description.weights.manifest
    if manifest is None or manifest.exported is None:
        raise _wrong(folder, "it was never exported, or by a version that writes no manifest")
    _require_tasks(folder / POSTPROCESSING / VERSION / "tasks.json", parameters["tasks"])
    return Export(folder=folder, models=models, parameters=parameters, description=description, manifest=manifest)


def parameters_of(config: ModelConfig) -> dict[str, str]:
    """Return the parameters of a model's configuration."""
    return {name: parameter.string_value for name, parameter in config.parameters.items()}


def config_files(model: Path) -> list[Path]:
    """Return the configurations of a model: config.pbtxt, and that of each profile."""
    return [model / "config.pbtxt", *sorted(model.glob("configs/*.pbtxt"))]


def read_config(path: Path) -> ModelConfig:
    """Return the configuration that a config.pbtxt holds.

    Raises:
        FilesError: There is none, or Triton could not read it either.
    """
    try:
        return Parse(path.read_text(encoding="utf-8"), ModelConfig())
    except (OSError, UnicodeDecodeError, ParseError) as error:
        raise _wrong(path, f"cannot be read ({error})") from None


def _require_model(model: Path) -> None:
    for path in config_files(model):
        name = read_config(path).name
        if name != model.name:
            raise _wrong(path, f"is of a model {name!r}")
    versions = sorted(path.name for path in model.iterdir() if path.name.isdecimal())
    if versions != [VERSION]:
        raise _wrong(model, f"holds the versions {', '.join(versions) or 'none'}; an export holds version {VERSION}")
    if model.name in EXPORTED:
        _require_whole(model / VERSION / "model.pt")


def _require_whole(path: Path) -> None:
    """Refuse a TorchScript file that is missing or damaged: it is a ZIP archive with a checksum of each member."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except FileNotFoundError:
        raise _wrong(path, "is missing") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise _wrong(path, f"is no TorchScript file ({error})") from None
    if damaged is not None:
        raise _wrong(path, f"is damaged: the checksum of {damaged} is wrong")


def _require_tasks(path: Path, described: str) -> None:
    """Refuse predictions that would be computed for other tasks than those that the description names."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read ({error})") from None
    if tasks != json.loads(described):
        raise _wrong(path, f"holds other tasks, or in another order, than {ENSEMBLE}/config.pbtxt describes")


def _wrong(path: Path, what: str) -> FilesError:
    return FilesError(f"{path}: {what}; export it again: panecho export --help", paths=[path])
