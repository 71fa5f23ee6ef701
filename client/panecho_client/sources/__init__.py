"""Finds studies: sorts files into studies, and fetches studies from a DICOMweb server. See docs/guide/sources.md.

Sorting files needs the extra ``reports``, DICOMweb the extra ``dicomweb``.
"""

from panecho_client.sources.dicomweb import DicomWeb, RemoteStudy
from panecho_client.sources.grouping import group_studies
from panecho_client.sources.local_study import LocalStudy
from panecho_client.sources.video_studies import VideoStudies

__all__ = ["DicomWeb", "LocalStudy", "RemoteStudy", "VideoStudies", "group_studies"]
