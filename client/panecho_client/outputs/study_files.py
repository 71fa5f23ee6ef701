"""Writes the files of one study that ``panecho predict`` is asked for."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from panecho_client._identity.study_identity import StudyIdentity, identify
from panecho_client._results import StudyResult
from panecho_client._whole_files import accessing, unfinished, write_whole
from panecho_client.outputs.html import render_html
from panecho_client.outputs.sr import build_sr
from panecho_client.outputs.tables import LONG_COLUMNS, append_csv, long_rows, wide_columns, wide_row, write_parquet


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Files to write; None for those not wanted.

    Attributes:
        json: All of one study. Holds the files' paths.
        csv: A row per video, task and class is added.
        wide_csv: A row per study is added.
        parquet: As ``csv``, of one study.
        html: A report to read.
        sr: A DICOM structured report.
        include_identifiers: Whether all but ``json`` hold the study's identifiers instead of pseudonyms.
        pseudonym_key: File whose bytes make pseudonyms that nobody without them can compute.
    """

    json: Path | None = None
    csv: Path | None = None
    wide_csv: Path | None = None
    parquet: Path | None = None
    html: Path | None = None
    sr: Path | None = None
    include_identifiers: bool = False
    pseudonym_key: Path | None = None

    def write(self, study: StudyResult, *, key_frames: Mapping[Path, bytes] | None = None) -> None:
        """Write every file wanted.

        Args:
            study: The study.
            key_frames: As of ``render_html``.

        Raises:
            FilesError: A file cannot be written, or the pseudonym key not read.
            RequestError: The extra ``reports`` is missing, or a CSV to add to has other columns.
        """
        if self.json:
            write_whole(self.json, f"{study.to_json()}\n".encode())
        if any((self.csv, self.wide_csv, self.parquet, self.html, self.sr)):
            self.write_named(study, self._identity(study), key_frames=key_frames)

    def _identity(self, study: StudyResult) -> StudyIdentity:
        if self.pseudonym_key is None:
            return identify(study, include_identifiers=self.include_identifiers)
        with accessing(self.pseudonym_key, "read", "name another file"):
            return identify(
                study, include_identifiers=self.include_identifiers, pseudonym_key=self.pseudonym_key.read_bytes()
            )

    def write_named(
        self, study: StudyResult, identity: StudyIdentity, *, key_frames: Mapping[Path, bytes] | None = None
    ) -> None:
        """Write every file wanted but ``json``, with names that are known already.

        Args:
            study: The study.
            identity: What it and its files are called.
            key_frames: As of ``render_html``.

        Raises:
            FilesError, RequestError: As ``write``; or there can be no structured report of the study.
        """
        tasks = [prediction.task for prediction in study.predictions.values()]
        if self.csv:
            with accessing(self.csv):
                append_csv(self.csv, long_rows(study, identity), LONG_COLUMNS)
        if self.wide_csv:
            with accessing(self.wide_csv):
                append_csv(self.wide_csv, [wide_row(study, identity)], wide_columns(tasks))
        if self.parquet:
            with unfinished(self.parquet) as parquet:
                write_parquet(parquet, long_rows(study, identity), LONG_COLUMNS)
        if self.html:
            write_whole(self.html, render_html(study, identity, key_frames=key_frames).encode())
        if self.sr:
            report = io.BytesIO()
            build_sr(study, identity).save_as(report, enforce_file_format=True)
            write_whole(self.sr, report.getvalue())
