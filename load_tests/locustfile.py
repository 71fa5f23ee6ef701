"""What callers do. Everything else is in the modules next to it; docs/operate/load-tests.md says how to run it.

locust -f load_tests/locustfile.py --host grpc://localhost:8001 --headless -u 2 -t 1m SingleVideo

Without a name all of them call, as often as their weights say.
"""

from load_tests.locust_session.listeners import (
    listen,  # first: it imports Locust, which makes everything after work with gevent
)
from load_tests.locust_session.users import TritonUser
from load_tests.requests.payloads import aggregation, clips, embeddings, mixed, single_video, whole_study

listen()


class SingleVideo(TritonUser):
    """One video, and what it predicts."""

    weight = 10
    payloads = staticmethod(single_video)


class WholeStudy(TritonUser):
    """All videos of a study in one request."""

    weight = 2
    payloads = staticmethod(whole_study)


class Embeddings(TritonUser):
    """One video, and its embedding."""

    weight = 2
    payloads = staticmethod(embeddings)


class Clips(TritonUser):
    """Clips of the caller's own preprocessing, straight into the backbone."""

    weight = 1
    payloads = staticmethod(clips)


class Aggregation(TritonUser):
    """The last step of a study that was sent in parts."""

    weight = 1
    payloads = staticmethod(aggregation)


class Mixed(TritonUser):
    """Single videos, some of them unusable: refusing those is right, and counted apart."""

    weight = 5
    payloads = staticmethod(mixed)
