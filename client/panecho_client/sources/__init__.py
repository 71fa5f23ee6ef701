"""Where studies come from: which files make one, and DICOMweb servers. See docs/guide/sources.md.

Telling studies apart needs the extra ``reports``, DICOMweb the extra ``dicomweb``.
"""

from panecho_client.sources.dicomweb import DicomWeb, RemoteStudy
from panecho_client.sources.grouping import group_studies

__all__ = ["DicomWeb", "RemoteStudy", "group_studies"]
