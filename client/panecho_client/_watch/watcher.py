"""The loop of ``panecho watch``: asks for news, predicts what is stable, and stores the reports.

Each step can be repeated. Whatever was done last is found again: results in the folder, reports in the PACS.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from panecho_client._archive.joined_tables import FAILURES, Failure, write_failures
from panecho_client._archive.run import ArchiveRun, OtherWeightsError, ends_the_run
from panecho_client._archive.study_source import DicomWebStudy
from panecho_client._exceptions import (
    DeadlineExceededError,
    FilesError,
    IncompatibleServerError,
    NoUsableVideoError,
    PanEchoError,
    RequestError,
    ServerError,
    ServerUnavailableError,
)
from panecho_client._identity.pseudonyms import study_name
from panecho_client._watch.documents import Document, content_in, content_of, documents_of
from panecho_client._watch.feeds import StudyFeed, StudyGoneError
from panecho_client._watch.journal import Journal, WaitingStudy
from panecho_client._watch.metrics import WatchMetrics
from panecho_client.sources.dicomweb import DicomWeb

__all__ = ["Watcher"]

DENIED = "PERMISSION_DENIED"

LONGEST_RETRY = 32
"""Times the shortest wait between attempts."""


@dataclass(frozen=True)
class Watcher:
    """Predicts the studies of a PACS as they come.

    Args:
        feed: Tells which studies to look at.
        pacs: Where they are fetched from, and reports stored.
        run: Predicts a study and writes its results.
        journal: Remembers what is to be done.
        metrics: Counts.
        settings: What decides on the predictions.
        query: DICOM keywords and what studies must match.
        kinds: Reports to store, keys of ``REPORTS``.
        attempts: How often a study may fail before it is given up.
        retry_seconds: How long to wait after a first failure; each further wait is twice as long.
        poll_seconds: How long to wait for news.
        say: Told what became of a study, by its pseudonym.
    """

    feed: StudyFeed
    pacs: DicomWeb
    run: ArchiveRun
    journal: Journal
    metrics: WatchMetrics
    _: KW_ONLY
    settings: Mapping[str, object]
    query: Mapping[str, str]
    kinds: Sequence[str]
    attempts: int
    retry_seconds: float
    poll_seconds: float
    say: Callable[[str], None]

    async def watch(self, *, once: bool = False) -> None:
        """Work until cancelled.

        Args:
            once: End when there is nothing to do now, and when a server does not answer.

        Raises:
            PanEchoError: Something that every study would meet: a full disk, other weights.
        """
        while True:
            try:
                await self._note_news()
                worked = await self._work()
            except PanEchoError as error:
                if once or not _passes(error):
                    raise
                self.say(f"{error} Trying again in {self.retry_seconds:g} s.")
                await asyncio.sleep(self.retry_seconds)
                continue
            finally:
                self._tell()
            if once and not worked and not self.journal.count_untried():
                return
            if not worked:
                await asyncio.sleep(self.poll_seconds)

    async def _note_news(self) -> None:
        done = False
        self.metrics.pacs_up.set(0)
        while not done:
            news = await asyncio.to_thread(self.feed.news, self.journal.cursor(self.feed.name))
            self.journal.note_news(self.feed.name, news.cursor, news.studies)
            done = news.done
        self.metrics.pacs_up.set(1)
        self.metrics.last_news.set_to_current_time()

    async def _work(self) -> bool:
        """Look at every study that is due; tell whether there was something to do about one."""
        worked = False
        for study in self.journal.due():
            worked |= await self._attempt(study)
        return worked

    async def _attempt(self, study: WaitingStudy) -> bool:
        name = study_name(study.key)
        try:
            uid = await asyncio.to_thread(self.feed.stable, study.key)
            if uid is None:
                self.journal.postpone(study.key, self.poll_seconds)
                return False
            name = study_name(uid)
            outcome, content = await self._deal_with(study, uid, name)
        except StudyGoneError:
            self.journal.forget(study.key)
        except PanEchoError as error:
            self._failed(study, name, error)
        else:
            self.journal.finish(study.key, content)
            self.metrics.studies.labels(outcome).inc()
        return True

    async def _deal_with(self, study: WaitingStudy, uid: str, name: str) -> tuple[str, str]:
        """Return what became of a study, and the digest of its ultrasound."""
        found = await asyncio.to_thread(lambda: self.pacs.studies(**{**self.query, "StudyInstanceUID": uid}))
        if not found:
            return "left-out", ""
        content = content_of(await asyncio.to_thread(self.pacs.ultrasound, uid))
        if content == study.content:  # what was added is no ultrasound, such as our own reports
            return "kept", content
        if not await self._missing(documents_of(uid, content, self.settings, self.kinds)):
            return "kept", content  # another folder's work
        started, folder = time.monotonic(), self.run.folder.folder_of(name)
        done = "stored"
        if content_in(folder) != content:
            done = "predicted and stored"
            try:
                with self.metrics.seconds.labels("predict").time():
                    await self._predict(DicomWebStudy(server=self.pacs, study=found[0]), name)
            except NoUsableVideoError as error:
                if error.without_cine:  # nothing to predict until it changes
                    return "left-out", content
                raise
            content = content_in(folder)
        documents = documents_of(uid, content, self.settings, self.kinds)
        with self.metrics.seconds.labels("store").time():
            stored = await self._store(await self._missing(documents), folder)
        self.say(f"{name}: {done} {', '.join(stored)} ({time.monotonic() - started:.1f} s).")
        return "predicted", content

    async def _missing(self, documents: Sequence[Document]) -> list[Document]:
        """Return the reports that the PACS lacks."""
        return [
            document
            for document in documents
            if not await asyncio.to_thread(self.pacs.holds, document.study, document.series, document.instance)
        ]

    async def _predict(self, source: DicomWebStudy, name: str) -> None:
        """Fetch a study whole, predict it, and write its results."""
        with source.opened() as fetch:
            files = await asyncio.to_thread(fetch)
            if files.missing:
                raise files.missing[0].error
            try:
                await self.run.predict_files(name, files)
            except PanEchoError as error:  # its text may name the temporary files, which do not outlive this
                failure = Failure.of(name, files.headers, error, include_identifiers=False, pseudonym_key=b"")
                raise type(error)(failure.reason, code=error.code) from None

    async def _store(self, documents: Sequence[Document], folder: Path) -> list[str]:
        for document in documents:
            content = await asyncio.to_thread(document.read, folder)
            await asyncio.to_thread(self.pacs.store, content)
            self.metrics.stored.labels(document.name).inc()
        return [document.name for document in documents]

    def _failed(self, study: WaitingStudy, name: str, error: PanEchoError) -> None:
        """Have a study that failed tried again, or give it up.

        Raises:
            PanEchoError: The error, if other studies would meet it too: no server, a full disk, other weights.
        """
        if isinstance(error, ServerUnavailableError):
            self.journal.postpone(study.key, self.retry_seconds)
            raise error
        if ends_the_run(error):
            raise error
        hopeless = isinstance(error, RequestError) and not isinstance(error, FilesError) and error.code != DENIED
        if hopeless or study.attempts + 1 >= self.attempts:
            self.journal.fail(study.key, name, error)
            self.metrics.studies.labels("failed").inc()
            self.say(f"{name}: failed: {error}")
            return
        wait = self.retry_seconds * min(2**study.attempts, LONGEST_RETRY)
        self.journal.postpone(study.key, wait, failed=(name, error))
        self.metrics.retries.inc()
        self.say(f"{name}: {error} Trying again in {wait:g} s.")

    def _tell(self) -> None:
        """Bring the list of failures and the gauges up to date."""
        write_failures(self.run.folder.path / FAILURES, self.journal.failures())
        self.metrics.waiting.set(self.journal.count("waiting"))
        self.metrics.failed.set(self.journal.count("failed"))


def _passes(error: PanEchoError) -> bool:
    """Tell whether a server may answer the same later."""
    lasting = isinstance(error, IncompatibleServerError | OtherWeightsError)
    return isinstance(error, ServerUnavailableError | DeadlineExceededError | ServerError) and not lasting
