"""How a page of the PDF report looks: what stands on each, its colours, its letters."""

from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from xml.sax.saxutils import escape

from panecho_client._results import NOT_CLINICAL, STAND_IN, StudyResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reportlab.lib.styles import ParagraphStyle

__all__ = ["LINE", "Page", "paragraph_styles", "printable"]

INK, SOFT, LINE, WARN, STOP = "#1b2530", "#5d6b7a", "#dde3e9", "#8a5300", "#b3261e"


class Page:
    """What stands on every page."""

    def __init__(self, study: StudyResult) -> None:
        self._warning = " ".join(
            filter(None, [f"{STAND_IN[0].upper()}{STAND_IN[1:]}." if study.weights.stand_in else "", NOT_CLINICAL])
        )

    def draw(self, canvas: Any, document: Any) -> None:  # noqa: ANN401 - reportlab has no types
        """Draw it."""
        width, height = document.pagesize
        canvas.saveState()
        canvas.setFillColor(STOP)
        canvas.setFont("Helvetica-Bold", 9)
        canvas.drawCentredString(width / 2, height - 30, self._warning)
        canvas.setFillColor(SOFT)
        canvas.setFont("Helvetica", 8)
        canvas.drawRightString(width - document.rightMargin, 24, f"{document.page}")
        canvas.restoreState()


def paragraph_styles() -> "Mapping[str, ParagraphStyle]":
    """Return the styles of paragraphs by name."""
    from reportlab.lib.colors import HexColor  # noqa: PLC0415 - part of an extra
    from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415 - as above

    body = ParagraphStyle("body", fontName="Helvetica", fontSize=8.5, leading=11, textColor=HexColor(INK))
    return {
        "body": body,
        "soft": ParagraphStyle("soft", parent=body, textColor=HexColor(SOFT), fontSize=7.5, leading=9.5),
        "title": ParagraphStyle("title", parent=body, fontName="Helvetica-Bold", fontSize=17, leading=22),
        "part": ParagraphStyle(
            "part", parent=body, fontName="Helvetica-Bold", fontSize=11, leading=14, spaceBefore=10, spaceAfter=3
        ),
        "group": ParagraphStyle("group", parent=body, fontName="Helvetica-Bold", spaceBefore=4),
        "warn": ParagraphStyle("warn", parent=body, textColor=HexColor(WARN), fontName="Helvetica-Bold"),
        "stop": ParagraphStyle("stop", parent=body, textColor=HexColor(STOP), fontName="Helvetica-Bold"),
    }


def printable(text: str) -> str:
    """Return text for a paragraph: markup is escaped, and letters that the standard fonts lack lose their accents."""
    for sign, known in (("≤ ", "up to "), ("≥ ", "from "), ("\N{MINUS SIGN}", "-"), ("—", "-")):
        text = text.replace(sign, known)
    return escape("".join(map(_known_letter, text)))


def _known_letter(letter: str) -> str:
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return normalize("NFKD", letter).encode("cp1252", "ignore").decode("cp1252") or "?"
    return letter
