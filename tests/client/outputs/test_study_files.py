"""What `panecho_client.outputs` and `.sources` give, and what importing them costs."""

import subprocess
import sys

from panecho_client import outputs, sources


def test_public_names_are_these() -> None:
    assert outputs.__all__ == [
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
    assert all(hasattr(outputs, name) for name in outputs.__all__)
    assert sources.__all__ == ["DicomWeb", "LocalStudy", "RemoteStudy", "VideoStudies", "group_studies"]


def test_importing_it_loads_no_package_of_the_extra() -> None:
    code = (
        "import sys, panecho_client.outputs, panecho_client.sources;"
        "print(*{'dicomweb_client', 'highdicom', 'jinja2', 'pyarrow', 'pydicom'} & set(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""
