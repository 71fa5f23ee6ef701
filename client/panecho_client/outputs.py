"""What a study's predictions can be written as: tables, an HTML report and a DICOM structured report.

Needs the extra ``reports``. See docs/outputs.md.
"""

from panecho_client._html import render_html
from panecho_client._identity import FileIdentity, StudyIdentity, identify, pseudonym
from panecho_client._ranges import ReferenceRange, Source, reference_ranges
from panecho_client._sr import build_sr
from panecho_client._tables import LONG_COLUMNS, append_csv, long_rows, wide_columns, wide_row, write_parquet

__all__ = [
    "LONG_COLUMNS",
    "FileIdentity",
    "ReferenceRange",
    "Source",
    "StudyIdentity",
    "append_csv",
    "build_sr",
    "identify",
    "long_rows",
    "pseudonym",
    "reference_ranges",
    "render_html",
    "wide_columns",
    "wide_row",
    "write_parquet",
]
