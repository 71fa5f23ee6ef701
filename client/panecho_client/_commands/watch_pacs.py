"""What ``panecho watch`` puts together: the PACS, the server, the folder and the loop."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._archive.run import ArchiveRun
from panecho_client._async_client import AsyncPanEcho
from panecho_client._commands.console import SOME_FAILED, UNAVAILABLE, make_messages
from panecho_client._commands.options import ServerOptions
from panecho_client._commands.predict_archive import further_reports, run_settings
from panecho_client._commands.predict_study import open_local
from panecho_client._commands.watch_options import PacsOptions, ServiceOptions
from panecho_client._description import VERSION
from panecho_client._exceptions import ServerUnavailableError
from panecho_client._requests import choose_tasks
from panecho_client._watch.journal import Journal
from panecho_client._watch.metrics import WatchMetrics
from panecho_client._watch.watcher import Watcher


def watch_pacs(
    output: Path, request: PredictionRequest, *, pacs: PacsOptions, service: ServiceOptions, server: ServerOptions
) -> int:
    """Predict the studies of a PACS as they come, say what became of each, and return the exit status.

    Raises:
        CycloptsError: A header or a query cannot be read.
        PanEchoError: Something that every study would meet.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    messages = make_messages()
    try:
        return asyncio.run(_watch(output, request, pacs, service, server=server, messages=messages))
    except KeyboardInterrupt:
        messages.print("Stopped.")
        return 0
    except ServerUnavailableError as error:
        messages.print(f"panecho watch: {error}", style="red", markup=False)
        return UNAVAILABLE


async def _watch(  # noqa: PLR0913 - as ``watch_pacs``
    output: Path,
    request: PredictionRequest,
    pacs: PacsOptions,
    service: ServiceOptions,
    *,
    server: ServerOptions,
    messages: Console,
) -> int:
    metrics = WatchMetrics()
    reports = further_reports(pacs.store)
    folder = OutputFolder(output, sr="sr" in pacs.store, reports=reports, include_identifiers=True)
    client = AsyncPanEcho(server.connection, concurrency=server.concurrency, transport=open_local(server, messages))
    with ExitStack() as opened:
        source, feed = pacs.open(opened)
        async with client as panecho:
            tasks, weights = choose_tasks(await panecho.tasks(), request.tasks), await panecho.weights()
            settings = run_settings(request, tasks, weights)
            folder.prepare(resume=True, settings=settings)
            journal = opened.enter_context(Journal(output))
            if service.retry_failed:
                journal.retry_failed()
            if service.metrics_port:
                metrics.serve(service.metrics_port, service.metrics_address)
            watcher = Watcher(
                feed,
                source,
                ArchiveRun(panecho=panecho, folder=folder, request=request, studies_at_a_time=1, weights=weights),
                journal,
                metrics,
                settings={**settings, "version": VERSION},
                query=pacs.filters,
                kinds=pacs.kinds,
                attempts=service.attempts,
                retry_seconds=service.retry_seconds,
                poll_seconds=service.poll_seconds,
                say=lambda text: messages.print(text, markup=False),
            )
            messages.print(f"Watching {feed.name}.", markup=False)
            await watcher.watch(once=service.once)
            return SOME_FAILED if journal.failures() else 0
