"""What a study's predictions can be written as: tables, an HTML report and a DICOM structured report.

Needs the extra ``reports``. See docs/guide/outputs.md.
"""

from typing import TYPE_CHECKING

from panecho_client._lazy_names import lazy_names

if TYPE_CHECKING:
    from panecho_client._contract import status_code
    from panecho_client._identity.pseudonyms import pseudonym
    from panecho_client._identity.study_identity import FileIdentity, StudyIdentity, identify
    from panecho_client._result_views.variables import Variable, variables
    from panecho_client.outputs.html import render_html
    from panecho_client.outputs.reference_ranges import RangeSource, ReferenceRange, reference_ranges
    from panecho_client.outputs.sr import build_sr
    from panecho_client.outputs.table_files import append_csv, write_parquet
    from panecho_client.outputs.tables import LONG_COLUMNS, long_rows, wide_columns, wide_row

__all__ = [
    "LONG_COLUMNS",
    "FileIdentity",
    "RangeSource",
    "ReferenceRange",
    "StudyIdentity",
    "Variable",
    "append_csv",
    "build_sr",
    "identify",
    "long_rows",
    "pseudonym",
    "reference_ranges",
    "render_html",
    "status_code",
    "variables",
    "wide_columns",
    "wide_row",
    "write_parquet",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(
        __name__,
        {
            "panecho_client._identity.pseudonyms": ("pseudonym",),
            "panecho_client._identity.study_identity": ("FileIdentity", "StudyIdentity", "identify"),
            "panecho_client.outputs.html": ("render_html",),
            "panecho_client.outputs.reference_ranges": ("RangeSource", "ReferenceRange", "reference_ranges"),
            "panecho_client.outputs.sr": ("build_sr",),
            "panecho_client._contract": ("status_code",),
            "panecho_client._result_views.variables": ("Variable", "variables"),
            "panecho_client.outputs.table_files": ("append_csv", "write_parquet"),
            "panecho_client.outputs.tables": ("LONG_COLUMNS", "long_rows", "wide_columns", "wide_row"),
        },
    )


def __dir__() -> list[str]:
    return __all__
