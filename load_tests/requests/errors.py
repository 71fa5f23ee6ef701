"""What stops a load test before or instead of its result."""


class LoadTestError(Exception):
    """A setting, a file or the server is not as the test needs it; the text says what to change."""
