"""Metrics of ``panecho watch`` for Prometheus. None holds an identifier."""

from panecho_client._exceptions import RequestError

__all__ = ["WatchMetrics"]

SECONDS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class WatchMetrics:
    """Counts, gauges and durations.

    Attributes:
        studies: Studies by ``outcome``: predicted, kept (nothing new in them), left-out (they do not match), failed.
        stored: Reports stored, by ``kind``.
        retries: Attempts that failed and are repeated.
        waiting: Studies that wait, be it to become stable or for another attempt.
        failed: Studies that failed for good.
        seconds: Durations of ``step``: predict, store.
        pacs_up: Whether the PACS answered when it was last asked for news.
        last_news: When the PACS last answered, in seconds since 1970.

    Raises:
        RequestError: The extra ``watch`` is not installed.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise RequestError(
                f"panecho watch needs the extra watch: pip install 'panecho-client[watch]' ({error})."
            ) from None
        self._registry = of_all = CollectorRegistry()
        start = "panecho_watch"
        self.studies = Counter(f"{start}_studies", "Studies dealt with.", ["outcome"], registry=of_all)
        self.stored = Counter(f"{start}_reports_stored", "Reports stored in the PACS.", ["kind"], registry=of_all)
        self.retries = Counter(f"{start}_retries", "Attempts that failed and are repeated.", registry=of_all)
        self.waiting = Gauge(f"{start}_studies_waiting", "Studies that wait.", registry=of_all)
        self.failed = Gauge(f"{start}_studies_failed", "Studies that failed for good.", registry=of_all)
        self.seconds = Histogram(
            f"{start}_seconds", "Duration of a step of one study.", ["step"], buckets=SECONDS, registry=of_all
        )
        self.pacs_up = Gauge(f"{start}_pacs_up", "1 if the PACS answers.", registry=of_all)
        self.last_news = Gauge(f"{start}_last_news_timestamp_seconds", "When the PACS last answered.", registry=of_all)

    def serve(self, port: int, address: str) -> None:
        """Serve them over HTTP in a thread.

        Raises:
            RequestError: The port cannot be opened.
        """
        from prometheus_client import start_http_server  # noqa: PLC0415 - as above

        try:
            start_http_server(port, address, registry=self._registry)
        except OSError as error:
            raise RequestError(
                f"metrics cannot be served at {address}:{port}: {error.strerror}; choose another --metrics-port."
            ) from None
