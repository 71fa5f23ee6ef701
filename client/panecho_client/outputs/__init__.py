"""What a study's predictions can be written as: tables, an HTML report and a DICOM structured report.

Needs the extra ``reports``. See docs/guide/outputs.md.
"""

from panecho_client._identity.pseudonyms import pseudonym
from panecho_client._identity.study_identity import FileIdentity, StudyIdentity, identify
from panecho_client.outputs.html import render_html
from panecho_client.outputs.reference_ranges import RangeSource, ReferenceRange, reference_ranges
from panecho_client.outputs.sr import build_sr
from panecho_client.outputs.tables import LONG_COLUMNS, append_csv, long_rows, wide_columns, wide_row, write_parquet

__all__ = [
    "LONG_COLUMNS",
    "FileIdentity",
    "RangeSource",
    "ReferenceRange",
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
