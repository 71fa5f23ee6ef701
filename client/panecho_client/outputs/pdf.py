"""A study as a PDF file: the same content as the HTML report, in pages of A4."""

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from panecho_client._description import VERSION
from panecho_client._identity.optional_packages import needs_reports_extra
from panecho_client._identity.study_identity import StudyIdentity
from panecho_client._results import StudyResult
from panecho_client.outputs.assessment import Assessment, assess
from panecho_client.outputs.classified_values import Classified
from panecho_client.outputs.measured_values import Measured
from panecho_client.outputs.pdf_page import LINE, Page, paragraph_styles, printable
from panecho_client.outputs.pdf_videos import COLUMNS, column_widths, video_rows
from panecho_client.outputs.prediction_text import format_percent
from panecho_client.outputs.readable_names import readable_about
from panecho_client.outputs.reference_ranges import GUIDELINES, RangeTable
from panecho_client.outputs.task_facts import PUBLISHED

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

__all__ = ["render_pdf"]

SEXES = {"F": "women ", "M": "men ", None: ""}
SEVERE = 4
WIDTH = 175  # millimetres between the margins and the padding of a page


def render_pdf(
    study: StudyResult, identity: StudyIdentity, *, key_frames: bool = False, ranges: RangeTable = GUIDELINES
) -> bytes:
    """Return the study as the bytes of a PDF file. Every page says that it is not for clinical use.

    Example:
        >>> Path("report.pdf").write_bytes(render_pdf(study, identify(study)))

    Args:
        study: The study.
        identity: Names of the study and its files.
        key_frames: Whether to show the key frames that the study holds; text burned into them may name the patient.
        ranges: Reference ranges; see ``load_ranges``.

    Raises:
        RequestError: The extra ``reports`` is not installed.
    """
    with needs_reports_extra():
        from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - part of an extra
        from reportlab.lib.units import mm  # noqa: PLC0415 - as above
        from reportlab.platypus import SimpleDocTemplate  # noqa: PLC0415 - as above
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=15 * mm,
        rightMargin=15 * mm,
        topMargin=20 * mm,
        bottomMargin=15 * mm,
        title="PanEcho report",
        author=f"panecho-triton {VERSION}",
        subject=identity.study,
        invariant=True,
    )
    page = Page(study)
    document.build(
        _Story(study, identity, assess(study, identity, ranges), key_frames=key_frames).parts(),
        onFirstPage=page.draw,
        onLaterPages=page.draw,
    )
    return file.getvalue()


class _Story:
    """The parts of the report, one after another."""

    def __init__(
        self, study: StudyResult, identity: StudyIdentity, assessment: Assessment, *, key_frames: bool
    ) -> None:
        self._styles = paragraph_styles()
        self._study, self._identity, self._assessment = study, identity, assessment
        self._key_frames = key_frames

    def parts(self) -> "list[Flowable]":
        """Return everything, in order."""
        return [
            *self._head(),
            *self._summary(),
            *self._part("Measurements", self._measurements(self._assessment.measured)),
            *self._part("Findings", self._findings(self._assessment.classified)),
            *self._part("Videos", *self._videos()),
            *self._sources(),
        ]

    def _part(self, title: str, *content: "Flowable") -> "list[Flowable]":
        """Return a part with its title, which does not stand alone at the end of a page."""
        from reportlab.lib.units import mm  # noqa: PLC0415 - part of an extra
        from reportlab.platypus import CondPageBreak  # noqa: PLC0415 - as above

        return [CondPageBreak(35 * mm), self._text(title, "part"), *content]

    def _text(self, text: str, style: str = "body") -> "Flowable":
        from reportlab.platypus import Paragraph  # noqa: PLC0415 - part of an extra

        return Paragraph(printable(text), self._styles[style])

    def _table(
        self, rows: Sequence[list[Any] | tuple[Any, ...]], widths: Sequence[float], *, head: int = 1
    ) -> "Flowable":
        """Return a table; a row of a single cell is the name of a part of the heart, across all columns.

        Args:
            rows: Its rows, the ones at the head first.
            widths: In millimetres.
            head: How many rows the head has; the last of them is repeated on each page.
        """
        from reportlab.lib.units import mm  # noqa: PLC0415 - part of an extra
        from reportlab.platypus import Table, TableStyle  # noqa: PLC0415 - as above

        parts = [number for number, row in enumerate(rows) if len(row) == 1]
        padded = [[*row, *[""] * (len(widths) - len(row))] for row in rows]
        repeated = (head - 1,) if head else 0
        table = Table(padded, colWidths=[width * mm for width in widths], repeatRows=repeated, hAlign="LEFT")
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                    ("FONTSIZE", (0, 0), (-1, -1), 6),  # of empty cells, which make no row higher
                    ("LEADING", (0, 0), (-1, -1), 6),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
                    *(("SPAN", (0, number), (-1, number)) for number in parts),
                    *(("TOPPADDING", (0, number), (-1, number), 6) for number in parts),
                    *(("NOSPLIT", (0, number), (-1, number + 1)) for number in parts),
                ]
            )
        )
        return table

    def _head(self) -> "list[Flowable]":
        cells = [self._text(f"{name}: {value}") for name, value in readable_about(self._study, self._identity).items()]
        rows = [(cells[at], cells[at + 1] if at + 1 < len(cells) else "") for at in range(0, len(cells), 2)]
        parts = [self._text("PanEcho report", "title"), self._table(rows, (WIDTH / 2, WIDTH / 2), head=0)]
        notes = [self._study.weights.notice, self._assessment.no_ranges]
        return [*parts, *(self._text(note, "warn") for note in notes if note)]

    def _summary(self) -> "list[Flowable]":
        parts = [self._text("Summary", "part")]
        parts += [self._text(f"Check: {text}", "warn") for text in self._assessment.contradictions]
        for line in self._assessment.abnormal:
            parts.append(self._text(f"{line.text} ({line.evidence})", "stop" if line.severity >= SEVERE else "warn"))
        if not self._assessment.abnormal:
            parts.append(self._text("Nothing abnormal was predicted."))
        parts += [self._text(f"Undecided: {line.text} ({line.evidence})") for line in self._assessment.undecided]
        parts += [self._text(f"{line.text} ({line.evidence})", "soft") for line in self._assessment.normal]
        return parts

    def _grouped(self, values: Sequence[Any], row: Any) -> list[Any]:  # noqa: ANN401 - a method of this class
        rows: list[Any] = []
        for group, members in groupby(values, key=lambda value: value.group):
            rows += [[self._text(group, "group")], *map(row, members)]
        return rows

    def _measurements(self, values: Sequence[Measured]) -> "Flowable":
        head = [
            self._text(name, "soft") for name in ("Measurement", "Value", "Expected error; videos", "Reference range")
        ]
        return self._table([head, *self._grouped(values, self._measurement)], (53, 37, 49, 36))

    def _measurement(self, value: Measured) -> list[Any]:
        ranges = "; ".join(f"{SEXES[normal.sex]}{normal.text}" for normal in value.ranges)
        return [
            self._text(value.name),
            self._text(f"{value.text} {value.verdict}", "warn" if value.severity else "body"),
            self._text(f"{value.error}; {value.spread}" if value.spread else value.error, "soft"),
            self._text(ranges or "no range", "soft"),
        ]

    def _findings(self, values: Sequence[Classified]) -> "Flowable":
        head = [self._text(name, "soft") for name in ("Finding", "Probability", "How good the model was")]
        return self._table([head, *self._grouped(values, self._finding)], (98, 27, 50))

    def _finding(self, value: Classified) -> list[Any]:
        said = value.sentence if value.decided else f"Undecided: {value.sentence}"
        return [
            self._text(said, "warn" if value.severity else "body"),
            self._text(format_percent(value.probability)),
            self._text(value.error, "soft"),
        ]

    def _videos(self) -> "Iterator[Flowable]":
        named = [(video, file.name) for video, file in zip(self._study.videos, self._identity.files, strict=True)]
        used = [(video, name) for video, name in named if video.ok]
        yield self._text(
            "Measurements of each video, marked where they are far from the study's; the probability that each video "
            "gives the study's finding, marked where the video gives another one.",
            "soft",
        )
        for at in range(0, len(used), COLUMNS):
            rows = video_rows(
                self._study, self._assessment, used[at : at + COLUMNS], self._text, key_frames=self._key_frames
            )
            heads = next(number for number, row in enumerate(rows) if len(row) == 1)
            yield self._table(rows, column_widths(WIDTH), head=heads)
        for video, name in named:
            note = video.status.partition(": ")[2] if video.ok else f"not used. {video.status}"
            if note:
                yield self._text(f"{name}: {note}", "soft")

    def _sources(self) -> "list[Flowable]":
        sources = dict.fromkeys(normal.source for value in self._assessment.measured for normal in value.ranges)
        weights = self._study.weights
        texts = [
            f"Expected errors: {PUBLISHED} Where a task's own error is not in it, the median of all stands instead.",
            *(
                f"Ranges: {source.citation} {source.doi}"
                + ("" if source.verified else " Numbers not verified in the source for this version.")
                for source in sources
            ),
            f"Weights: {weights.name}, SHA-256 {weights.sha256 or 'none'}. panecho-triton {VERSION}.",
            *self._study.warnings,
        ]
        return [self._text("Sources and model", "part"), *(self._text(text, "soft") for text in texts)]
