"""Which labels belong to which predicted studies."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from panecho_evaluation.arrays import Floats
from panecho_evaluation.errors import EvaluationError
from panecho_evaluation.labels import LabelTable
from panecho_evaluation.results import Results

__all__ = ["Aliases", "LabelledStudies", "Unmatched", "match_studies"]

Aliases: TypeAlias = Callable[[str, Sequence[str]], Iterable[str]]
"""What results may call a study, from what the labels call it and from its files; either may be empty."""


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """Labels without a prediction, or a study without labels.

    Attributes:
        run: The run that lacks the study, or holds it.
        row: Row of the labels; None for a study.
        study: What the run calls the study; empty for a row.
        reason: Why, as far as it is known.
    """

    run: str
    row: int | None
    study: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LabelledStudies:
    """M studies that have labels and that every run has predicted.

    Attributes:
        table: The labels as they were read.
        places: Index of each study in the results of each run, [M].
        labels: Labels of each task, [M]; NaN where one is missing.
        patients: Names of the patients, [M]; empty where nobody says.
        columns: Other columns of the labels, [M].
        unmatched: Rows and studies that are left out.
    """

    table: LabelTable
    places: Mapping[str, NDArray[np.intp]]
    labels: Mapping[str, Floats]
    patients: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    unmatched: tuple[Unmatched, ...]


def match_studies(table: LabelTable, runs: Mapping[str, Results], aliases: Aliases) -> LabelledStudies:
    """Find the predictions of each labelled study.

    Several rows of a study must agree: a label may be in one of them and missing in another, but not differ.

    Args:
        table: The labels.
        runs: Results by the name of the run.
        aliases: What results may call a study.

    Raises:
        EvaluationError: No study has both labels and predictions, or two rows of a study have different labels.
    """
    names = _names(table, runs, aliases)
    found = {run: _places(names, results) for run, results in runs.items()}
    unmatched = [left for run, results in runs.items() for left in _unmatched(run, results, table, found[run], names)]
    matched = np.flatnonzero(np.logical_and.reduce([places >= 0 for places in found.values()]))
    if not len(matched):
        raise EvaluationError(_nothing_matches(table, runs, found))
    first = next(iter(found.values()))
    _, members, groups = np.unique(first[matched], return_index=True, return_inverse=True)
    rows = _Groups(matched, groups)
    return LabelledStudies(
        table=table,
        places={run: places[matched[members]] for run, places in found.items()},
        labels={task: rows.agreed(table, task, labels) for task, labels in table.values.items()},
        patients=rows.first_text(table.patients),
        columns={name: rows.first_text(column) for name, column in table.columns.items()},
        unmatched=tuple(unmatched),
    )


@dataclass(frozen=True)
class _Groups:
    """Rows of the labels, [R], and the study of each, [R]."""

    rows: NDArray[np.intp]
    studies: NDArray[np.intp]

    def agreed(self, table: LabelTable, task: str, labels: Floats) -> Floats:
        """Return each study's label.

        Raises:
            EvaluationError: Two rows of a study have different ones.
        """
        count = int(self.studies.max()) + 1
        lowest: Floats = np.full(count, np.nan)
        highest: Floats = np.full(count, np.nan)
        np.fmin.at(lowest, self.studies, labels[self.rows])
        np.fmax.at(highest, self.studies, labels[self.rows])
        contradicted = np.flatnonzero(lowest < highest)
        if len(contradicted):
            rows = table.rows[self.rows[self.studies == contradicted[0]]]
            raise EvaluationError(
                f"{table.path}: {task} differs between rows of one study ({', '.join(map(str, rows))}), and in "
                f"{len(contradicted)} studies in all; a study has one label of a task."
            )
        return lowest

    def first_text(self, column: Sequence[str]) -> tuple[str, ...]:
        """Return each study's first text that is not empty."""
        texts = [""] * (int(self.studies.max()) + 1)
        for row, study in zip(self.rows, self.studies, strict=True):
            texts[study] = texts[study] or column[row]
        return tuple(texts)


def _names(table: LabelTable, runs: Mapping[str, Results], aliases: Aliases) -> list[tuple[str, ...]]:
    """Return what results may call the study of each row; rows of one study share their files.

    No more aliases are taken than are needed to find the study in every run: some take the reading of files.
    """
    keys = [(study, "") if study else ("", file) for study, file in zip(table.studies, table.files, strict=True)]
    files: dict[tuple[str, str], list[str]] = {key: [] for key in keys}
    for key, file in zip(keys, table.files, strict=True):
        if file:
            files[key].append(file)
    known = [{*results.studies, *results.failures} for results in runs.values()]
    names = {key: _until_found(aliases(key[0], found), known) for key, found in files.items()}
    return [names[key] for key in keys]


def _until_found(aliases: Iterable[str], known: Sequence[set[str]]) -> tuple[str, ...]:
    names: list[str] = []
    for alias in aliases:
        names.append(alias)
        if all(not of.isdisjoint(names) for of in known):
            break
    return tuple(names)


def _places(names: Sequence[tuple[str, ...]], results: Results) -> NDArray[np.intp]:
    """Return the index of each row's study in the results; -1 where it is not in them."""
    index = {name: place for place, name in enumerate(results.studies)}
    return np.array([next((index[name] for name in of if name in index), -1) for of in names], np.intp)


def _unmatched(
    run: str, results: Results, table: LabelTable, places: NDArray[np.intp], names: Sequence[tuple[str, ...]]
) -> Iterator[Unmatched]:
    for row in np.flatnonzero(places < 0):
        code = next((results.failures[name] for name in names[row] if name in results.failures), None)
        reason = f"prediction failed: {code}" if code else "not predicted"
        yield Unmatched(run=run, row=int(table.rows[row]), study="", reason=reason)
    for place in np.setdiff1d(np.arange(len(results.studies)), places):
        yield Unmatched(run=run, row=None, study=results.studies[place], reason="no labels")


def _nothing_matches(table: LabelTable, runs: Mapping[str, Results], found: Mapping[str, NDArray[np.intp]]) -> str:
    missing = [run for run, places in found.items() if (places < 0).all()]
    if not missing:
        return f"{', '.join(runs)} have no labelled study in common; compare runs over the same studies."
    run = missing[0]
    keyed = runs[run].settings.get("pseudonym_key")
    hint = (
        "give the --pseudonym-key of that run" if keyed else "the column study holds Study Instance UIDs or pseudonyms"
    )
    return (
        f"no study of {table.path} is in {runs[run].path}, which calls its first study {runs[run].studies[0]}; {hint}."
    )
