"""Metrics of preprocessing for Prometheus, in addition to Triton's own. No label holds a value from a file."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from panecho_preprocessing import (
    InvalidRequestError,
    NoUsableVideoError,
    RequestCancelledError,
    ShortOfMemoryError,
    StudyClips,
    VideoErrorCode,
)

OUTCOMES = ("ok", "no_usable_video", "invalid", "cancelled", "short_of_memory", "failed")
STATUSES = ("ok", *VideoErrorCode)
SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Upper bounds of the histogram's buckets: a short JPEG cine takes about 0.03 s, a large study some seconds."""


class Metrics:
    """Counts of the requests of all instances of a model: Triton adds those of the same name and labels up.

    Every series exists from the start, at 0, so that the first event of a kind already shows as an increase.

    Args:
        model: name of the model, a label of every series as in Triton's own metrics.
    """

    def __init__(self, model: str) -> None:
        labels = {"model": model}
        requests = _family("COUNTER", "panecho_requests_total", "Requests by what came of them")
        videos = _family("COUNTER", "panecho_videos_total", "Files of requests by status")
        clips = _family("COUNTER", "panecho_clips_total", "Clips made")
        received = _family("COUNTER", "panecho_received_bytes_total", "Bytes of files received")
        seconds = _family("HISTOGRAM", "panecho_preprocessing_seconds", "Seconds from a request's files to its clips")
        self._requests = {outcome: requests.Metric(labels=labels | {"outcome": outcome}) for outcome in OUTCOMES}
        self._videos = {status: videos.Metric(labels=labels | {"status": status}) for status in STATUSES}
        self._clips = clips.Metric(labels=labels)
        self._received = received.Metric(labels=labels)
        self._seconds = seconds.Metric(labels=labels, buckets=[*SECONDS])
        self._families = (requests, videos, clips, received, seconds)  # a metric is void once its family is collected

    def count(self, received: int, preprocess: Callable[[], StudyClips]) -> StudyClips:
        """Return what ``preprocess`` returns, and raise what it raises; count what came of the request.

        Args:
            received: bytes of the request's files.
            preprocess: makes the clips.
        """
        outcome = "failed"
        statuses: Sequence[str] = ()
        start = time.perf_counter()
        try:
            study = preprocess()
            outcome, statuses = "ok", study.video_status
            self._clips.increment(len(study.clips))
        except NoUsableVideoError as error:
            outcome, statuses = "no_usable_video", error.video_status
            raise
        except InvalidRequestError:
            outcome = "invalid"
            raise
        except RequestCancelledError:
            outcome = "cancelled"
            raise
        except ShortOfMemoryError:
            outcome = "short_of_memory"
            raise
        finally:
            self._seconds.observe(time.perf_counter() - start)
            self._received.increment(received)
            self._requests[outcome].increment(1)
            for status in statuses:
                self._videos[status.partition(":")[0]].increment(1)
        return study


def _family(kind: str, name: str, description: str) -> Any:  # noqa: ANN401 - Triton's classes are not typed
    return pb_utils.MetricFamily(name=name, description=description, kind=getattr(pb_utils.MetricFamily, kind))
