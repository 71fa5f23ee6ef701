"""``panecho watch`` that kills itself, as kill -9 does, before or after one call of one of its functions.

``python -m support.killed_watch before Journal.finish 1 ARGUMENTS…``
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.run import ArchiveRun
from panecho_client._commands.app import run
from panecho_client._watch.feeds import OrthancFeed
from panecho_client._watch.journal import Journal
from panecho_client.sources.dicomweb import DicomWeb

CLASSES = {kind.__name__: kind for kind in (ArchiveRun, DicomWeb, Journal, OrthancFeed, OutputFolder)}


def killing(function: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    """Return the function, which ends the process before or after its call of this number."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - any function
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


if __name__ == "__main__":
    when, function, number, *arguments = sys.argv[1:]
    owner, name = function.split(".")
    setattr(CLASSES[owner], name, killing(getattr(CLASSES[owner], name), when, int(number)))
    sys.exit(run(arguments))
