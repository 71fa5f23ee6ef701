"""Writes the files of one study that ``panecho predict`` is asked for."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from panecho_client._whole_files import accessing, unfinished, write_whole

if TYPE_CHECKING:
    from panecho_client._identity.study_identity import StudyIdentity
    from panecho_client._results import StudyResult


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Files to write for one study.

    Attributes:
        json: Write everything as JSON, with the files' paths; - prints it instead of the report.
        csv: Add a row per video, task and class to this table.
        wide_csv: Add a row for the study to this table.
        parquet: Write a row per video, task and class as Parquet.
        html: Write a report to read in a browser.
        sr: Write a DICOM structured report.
    """

    json: Path | None = None
    csv: Path | None = None
    wide_csv: Path | None = None
    parquet: Path | None = None
    html: Path | None = None
    sr: Path | None = None

    @property
    def name_study(self) -> bool:
        """Whether a file names the study, by its pseudonym or its identifiers."""
        return any((self.csv, self.wide_csv, self.parquet, self.html, self.sr))

    def write(self, study: "StudyResult", identity: "StudyIdentity | None", *, key_frames: bool = False) -> None:
        """Write every file.

        Args:
            study: The study.
            identity: What the study and its files are called; None if no file but ``json`` is written.
            key_frames: See ``render_html``.

        Raises:
            FilesError: A file cannot be written.
            RequestError: The extra ``reports`` is missing, a CSV to add to has other columns, or there can be no
                structured report of the study.
        """
        if self.json:
            write_whole(self.json, f"{study.to_json()}\n".encode())
        if identity is not None:
            self._write_tables(study, identity)
            self._write_reports(study, identity, key_frames=key_frames)

    def _write_tables(self, study: "StudyResult", identity: "StudyIdentity") -> None:
        from panecho_client.outputs import tables  # noqa: PLC0415 - numpy takes a while to import

        if self.csv:
            with accessing(self.csv):
                tables.append_csv(self.csv, tables.long_rows(study, identity), tables.LONG_COLUMNS)
        if self.wide_csv:
            columns = tables.wide_columns([prediction.task for prediction in study.predictions.values()])
            with accessing(self.wide_csv):
                tables.append_csv(self.wide_csv, [tables.wide_row(study, identity)], columns)
        if self.parquet:
            with unfinished(self.parquet) as parquet:
                tables.write_parquet(parquet, tables.long_rows(study, identity), tables.LONG_COLUMNS)

    def _write_reports(self, study: "StudyResult", identity: "StudyIdentity", *, key_frames: bool) -> None:
        from panecho_client.outputs import html, sr  # noqa: PLC0415 - as above

        if self.html:
            write_whole(self.html, html.render_html(study, identity, key_frames=key_frames).encode())
        if self.sr:
            report = io.BytesIO()
            sr.build_sr(study, identity).save_as(report, enforce_file_format=True)
            write_whole(self.sr, report.getvalue())
