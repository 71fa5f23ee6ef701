"""Writes the files of one study that ``panecho predict`` is asked for."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

from panecho_client._files.whole_files import accessing, unfinished, write_whole

if TYPE_CHECKING:
    from pydicom import Dataset

    from panecho_client._identity.study_identity import StudyIdentity
    from panecho_client._results import StudyResult
    from panecho_client.outputs.reference_ranges import RangeTable


REPORTS: Mapping[str, str] = {
    "html": "report.html",
    "sr": "report.dcm",
    "echo_sr": "echo-report.dcm",
    "pdf": "report.pdf",
    "dicom_pdf": "report-pdf.dcm",
    "fhir": "report.fhir.json",
}
"""Names of reports in a study's folder, by the field of ``Outputs``."""

OF_DICOM = ("sr", "echo_sr")
"""Reports that refer to DICOM files, and so cannot be of other videos alone."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Files to write for one study.

    Attributes:
        json: Write everything as JSON, with the files' paths; - prints it instead of the report.
        csv: Add a row per video, task and class to this table.
        wide_csv: Add a row for the study to this table.
        parquet: Write a row per video, task and class as Parquet.
        html: Write a report to read in a browser.
        sr: Write a DICOM structured report for research (TID 1500).
        echo_sr: Write a DICOM structured report that echo packages import (TID 5300).
        pdf: Write a report in pages of A4.
        dicom_pdf: Write the PDF report as a DICOM object.
        fhir: Write a FHIR bundle: a DiagnosticReport with Observations.
    """

    json: Path | None = None
    csv: Path | None = None
    wide_csv: Path | None = None
    parquet: Path | None = None
    html: Path | None = None
    sr: Path | None = None
    echo_sr: Path | None = None
    pdf: Path | None = None
    dicom_pdf: Path | None = None
    fhir: Path | None = None

    @classmethod
    def reports_in(cls, folder: Path, formats: Iterable[str], *, of_dicom: bool) -> Self:
        """Return the reports of a study's folder.

        Args:
            folder: The folder.
            formats: Fields of this class, such as ``html``.
            of_dicom: Whether DICOM files contributed; without, there is no structured report.
        """
        paths = {name: folder / REPORTS[name] for name in formats if of_dicom or name not in OF_DICOM}
        return cls(**paths)

    @property
    def name_study(self) -> bool:
        """Whether a file names the study, by its pseudonym or its identifiers."""
        return any(getattr(self, output.name) for output in fields(self) if output.name != "json")

    def write(
        self,
        study: "StudyResult",
        identity: "StudyIdentity | None",
        *,
        key_frames: bool = False,
        ranges: "RangeTable | None" = None,
    ) -> None:
        """Write every file.

        Args:
            study: The study.
            identity: What the study and its files are called; None if no file but ``json`` is written.
            key_frames: See ``render_html``.
            ranges: Reference ranges; those of the guidelines by default.

        Raises:
            FilesError: A file cannot be written.
            RequestError: The extra ``reports`` is missing, a CSV to add to has other columns, or there can be no
                structured report of the study.
        """
        if self.json:
            write_whole(self.json, f"{study.to_json()}\n".encode())
        if identity is not None:
            self._write_tables(study, identity)
            self._write_reports(study, identity, key_frames=key_frames, ranges=ranges)

    def _write_tables(self, study: "StudyResult", identity: "StudyIdentity") -> None:
        from panecho_client.outputs import table_files, tables  # noqa: PLC0415 - numpy takes a while to import

        if self.csv:
            with accessing(self.csv):
                table_files.append_csv(self.csv, tables.long_rows(study, identity), tables.LONG_COLUMNS)
        if self.wide_csv:
            columns = tables.wide_columns([prediction.task for prediction in study.predictions.values()])
            with accessing(self.wide_csv):
                table_files.append_csv(self.wide_csv, [tables.wide_row(study, identity)], columns)
        if self.parquet:
            with unfinished(self.parquet) as parquet:
                table_files.write_parquet(parquet, tables.long_rows(study, identity), tables.LONG_COLUMNS)

    def _write_reports(
        self, study: "StudyResult", identity: "StudyIdentity", *, key_frames: bool, ranges: "RangeTable | None"
    ) -> None:
        from panecho_client.outputs import dicom_pdf, echo_sr, fhir, html, pdf, sr  # noqa: PLC0415 - as above
        from panecho_client.outputs.reference_ranges import GUIDELINES  # noqa: PLC0415 - as above

        used = GUIDELINES if ranges is None else ranges
        if self.html:
            page = html.render_html(study, identity, key_frames=key_frames, ranges=used)
            write_whole(self.html, page.encode())
        if self.pdf:
            write_whole(self.pdf, pdf.render_pdf(study, identity, key_frames=key_frames, ranges=used))
        if self.fhir:
            write_whole(self.fhir, fhir.build_fhir(study, identity, ranges=used).encode())
        if self.sr:
            _save(sr.build_sr(study, identity), self.sr)
        if self.echo_sr:
            _save(echo_sr.build_echo_sr(study, identity), self.echo_sr)
        if self.dicom_pdf:
            document = dicom_pdf.build_dicom_pdf(study, identity, key_frames=key_frames, ranges=used)
            _save(document, self.dicom_pdf)


def _save(document: "Dataset", path: Path) -> None:
    written = io.BytesIO()
    document.save_as(written, enforce_file_format=True)
    write_whole(path, written.getvalue())
