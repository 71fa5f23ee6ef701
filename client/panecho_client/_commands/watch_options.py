"""Options of ``panecho watch``."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from panecho_client._commands.options import Names, parse_pairs, require

if TYPE_CHECKING:
    from panecho_client._watch.feeds import StudyFeed
    from panecho_client.sources.dicomweb import DicomWeb

DicomReport = Literal["sr", "echo-sr", "dicom-pdf"]

PACS = Group("PACS", sort_key=3)
SERVICE = Group("Service", sort_key=4)


@Parameter(name="*", group=PACS)
@dataclass(frozen=True, kw_only=True)
class PacsOptions:
    """The PACS.

    Attributes:
        orthanc: Orthanc to watch, such as http://localhost:8042: its log of changes tells what is new.
        dicomweb: DICOMweb server to watch by searching it again and again; with --orthanc, the address of Orthanc's
            own DICOMweb service, if it is not /dicom-web.
        dicomweb_header: Header to send to the PACS; may be repeated.
        query: Which studies, such as InstitutionName=ECHO; may be repeated.
        days: Without --orthanc: look at studies of this many days before today, unless --query names a StudyDate.
        stable_seconds: Without --orthanc: a study is stable when it has not changed for so long.
        store: Reports to store in the PACS.
    """

    orthanc: Annotated[str | None, Parameter(metavar="URL")] = None
    dicomweb: Annotated[str | None, Parameter(metavar="URL")] = None
    dicomweb_header: tuple[str, ...] = ()
    query: Annotated[tuple[str, ...], Parameter(metavar="KEYWORD=VALUE")] = ()
    days: NonNegativeInt = 2
    stable_seconds: NonNegativeFloat = 60.0
    store: Annotated[tuple[DicomReport, ...], Names] = ("sr", "dicom-pdf")

    def __post_init__(self) -> None:
        """Refuse an empty list."""
        require(self.store, "--store is empty; name reports such as sr,dicom-pdf.")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Reports to store, keys of ``REPORTS``."""
        return tuple(name.replace("-", "_") for name in self.store)

    @property
    def filters(self) -> dict[str, str]:
        """Which studies; errors as of ``parse_pairs``."""
        return parse_pairs(self.query, "=", "--query")

    def open(self, opened: ExitStack) -> "tuple[DicomWeb, StudyFeed]":
        """Return where studies are, and what tells which ones are new.

        Raises:
            CycloptsError: A header or a query cannot be read.
            RequestError: An address is not valid, or the extra ``dicomweb`` is not installed.
        """
        from panecho_client._watch.feeds import DicomWebFeed, OrthancFeed
        from panecho_client.sources.dicomweb import DicomWeb
        from panecho_client.sources.orthanc import Orthanc

        headers = parse_pairs(self.dicomweb_header, ":", "--dicomweb-header")
        orthanc = opened.enter_context(Orthanc(self.orthanc, headers=headers)) if self.orthanc else None
        address = self.dicomweb or f"{(self.orthanc or '').rstrip('/')}/dicom-web"
        pacs = opened.enter_context(DicomWeb(address, headers=headers))
        if orthanc:
            return pacs, OrthancFeed(orthanc)
        feed = DicomWebFeed(server=pacs, query=self.filters, days=self.days, stable_seconds=self.stable_seconds)
        return pacs, feed


@Parameter(name="*", group=SERVICE)
@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How the command works on.

    Attributes:
        once: End when every stable study was dealt with, instead of waiting for more.
        attempts: How often a study may fail before it is given up.
        retry_seconds: How long to wait after a first failure; each further wait of a study is twice as long.
        poll_seconds: How long to wait between questions for new studies.
        retry_failed: Try the studies again that were given up.
        metrics_port: Serve metrics for Prometheus at this port.
        metrics_address: Address of that port.
    """

    once: bool = False
    attempts: PositiveInt = 5
    retry_seconds: PositiveFloat = 30.0
    poll_seconds: PositiveFloat = 10.0
    retry_failed: bool = False
    metrics_port: PositiveInt | None = None
    metrics_address: str = "127.0.0.1"
