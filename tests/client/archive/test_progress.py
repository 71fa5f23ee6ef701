import io

import pytest
from rich.console import Console

from panecho_client._archive.progress import RunProgress


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, in seconds."""
    clock = [0.0]
    monkeypatch.setattr("panecho_client._archive.progress.time.monotonic", lambda: clock[0])
    return clock


def test_rate_and_time_left(now: list[float]) -> None:
    with RunProgress(Console(file=io.StringIO()), 1000) as progress:
        assert progress.text == "studies"
        for _ in range(100):
            progress.count("kept")
        now[0] = 60
        for _ in range(30):
            progress.count("done")
        assert progress.text == "studies, 30.0 per minute, 29 min 0 s left"
        progress.count("failed")
        assert progress.text.startswith("studies (1 failed), 31.0 per minute")
        now[0] = 7200
        assert progress.text == "studies (1 failed), 15.5 per hour, 56 h 3 min left"
        assert progress.summary == "30 of 1000 studies predicted, 1 failed, 100 were there before."


def test_without_a_terminal_a_line_now_and_then(now: list[float]) -> None:
    said = io.StringIO()
    with RunProgress(Console(file=said, width=200), 4) as progress:
        for second in (1, 5, 11, 12):
            now[0] = second
            progress.count("done")
    assert said.getvalue() == "3 of 4 studies, 16.4 per minute, 4 s left\n"
