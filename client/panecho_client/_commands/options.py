"""Options that subcommands share: dataclasses that cyclopts builds from the command line, each option declared once.

A field is an option, its description in the docstring is the option's help, and its default is the option's default.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import CycloptsError, Group, Parameter, Token, convert
from cyclopts.types import PositiveFloat, PositiveInt

from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._clip_options import ClipOptions, OnError
from panecho_client._commands.tokens import with_token
from panecho_client._connection import DEFAULT_CONCURRENCY, DEFAULT_URL, Connection, Tls
from panecho_client._files.whole_files import accessing
from panecho_client._identity.pseudonyms import require_key
from panecho_client.outputs.reference_ranges import load_ranges
from panecho_client.outputs.study_files import Outputs

if TYPE_CHECKING:
    from panecho_client._transport.base import Transport
    from panecho_client.sources.video_studies import VideoStudies

ReportFormat = Literal["html", "sr", "echo-sr", "pdf", "dicom-pdf", "fhir"]
Format = Literal["html", "sr", "echo-sr", "pdf", "dicom-pdf", "fhir", "parquet", "embeddings"]

PREDICTION = Group("What to predict", sort_key=1)
CLIPS = Group("Clips", sort_key=2)
ONE_STUDY = Group("One study", sort_key=3)
MANY_STUDIES = Group("Many studies", sort_key=4)
NAMES = Group("Names in outputs", sort_key=5)
SERVER = Group("Server", sort_key=6)
LOCAL = Group("Without a server", sort_key=7)


def split_names(type_: Any, tokens: Sequence[Token]) -> Any:  # noqa: ANN401 - any type that cyclopts converts to
    """Return the names of texts such as ``EF,AVStenosis``."""
    names = [name.strip() for token in tokens for name in token.value.split(",")]
    return convert(type_, [tokens[0].evolve(value=name) for name in names])


def require(kept: object, rule: str) -> None:
    """Refuse wrong usage.

    Raises:
        CycloptsError: The rule is not kept.
    """
    if not kept:
        raise CycloptsError(msg=rule)


Names = Parameter(converter=split_names, n_tokens=1, metavar="NAME,…")
Clips = Annotated[ClipOptions, Parameter(name="*", group=CLIPS)]


@Parameter(name="*", group=ONE_STUDY)
@dataclass(frozen=True, kw_only=True)
class OneStudyFiles(Outputs):
    """As ``Outputs``, with - for stdout."""

    json: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None


@Parameter(name="*", group=SERVER)
@dataclass(frozen=True, kw_only=True)
class Access:
    """How to get through to a server.

    Attributes:
        header: Header to send with every request, such as 'X-Team: echo'; may be repeated.
        token_file: File with the token to send as 'Authorization: Bearer …'. Default: the token in the environment
            variable PANECHO_TOKEN, if there is one. Other users of this machine see command lines.
        tls: Certificates.
    """

    header: tuple[str, ...] = ()
    token_file: Annotated[Path | None, Parameter(metavar="FILE", env_var="PANECHO_TOKEN_FILE")] = None
    tls: Annotated[Tls | None, Parameter(name="*")] = None

    def connection(self, url: str, timeout: float) -> Connection:
        """Return the connection to a server.

        Raises:
            CycloptsError: A header has no name or no value.
            RequestError: The address or the token is not valid, or the address contradicts the certificates.
        """
        headers = with_token(parse_pairs(self.header, ":", "--header"), self.token_file, "PANECHO_TOKEN")
        return Connection(url=url, timeout=timeout, headers=headers, tls=self.tls)


@Parameter(name="*", group=LOCAL)
@dataclass(frozen=True, kw_only=True)
class LocalOptions:
    """Prediction in this process, without a server.

    Attributes:
        local: Predict in this process, without a server; needs panecho-triton[local].
        checkpoint: Checkpoint to use with --local. Default: the released weights, once fetched.
        stand_in: Seed of stand-in weights, instead of a checkpoint. Their predictions mean nothing.
        device: Device to compute on with --local, such as cuda or cpu. Default: a GPU if there is one.
        precision: Precision to compute in with --local. Default: what suits the device.
    """

    local: bool = False
    checkpoint: Annotated[Path | None, Parameter(metavar="FILE")] = None
    stand_in: int | None = None
    device: str | None = None
    precision: Literal["fp32", "bf16", "fp16"] | None = None

    def __post_init__(self) -> None:
        """Refuse options that mean nothing on a server."""
        given = (self.checkpoint, self.stand_in, self.device, self.precision)
        require(
            self.local or all(option is None for option in given),
            "--checkpoint, --stand-in, --device and --precision need --local: a server has its own.",
        )

    def transport(self) -> "Transport | None":
        """Return what answers in this process; None for a server.

        Raises:
            SystemExit: The package is not installed, or the weights cannot be loaded.
        """
        if not self.local:
            return None
        found = entry_points(group="panecho.local", name="transport")
        if not found:
            raise SystemExit("--local needs panecho-triton[local]; in a checkout: pip install ./client '.[local]'.")
        (entry,) = found
        transport: Transport = entry.load()(
            self.checkpoint, stand_in=self.stand_in, device=self.device, precision=self.precision
        )
        return transport


@Parameter(name="*", group=SERVER)
@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The server to ask.

    Attributes:
        url: host:port of the server's gRPC endpoint, http://host:port of its HTTP endpoint, or dns:///name:port for
            several servers behind one name.
        timeout: Seconds that one request may take.
        concurrency: Requests in progress at a time.
        access: How to get through.
        process: Whether to predict without a server.
    """

    url: str = DEFAULT_URL
    timeout: PositiveFloat = Connection.timeout
    concurrency: PositiveInt = DEFAULT_CONCURRENCY
    access: Access = Access()
    process: LocalOptions = LocalOptions()

    @property
    def place(self) -> str:
        """Where predictions are made, for messages."""
        return "in this process" if self.process.local else f"at {self.url}"

    @property
    def connection(self) -> Connection:
        """The connection; errors as of ``Access.connection``."""
        return self.access.connection(self.url, self.timeout)


@Parameter(name="*", group=NAMES)
@dataclass(frozen=True, kw_only=True)
class Naming:
    """What studies and files are called in outputs.

    Attributes:
        include_identifiers: Write identifiers instead of pseudonyms.
        pseudonym_key: File that makes the pseudonyms: nobody can compute them without its content, 16 bytes or more
            (head -c 32 /dev/urandom).
        key_table: Add to this CSV file what the pseudonyms stand for: files, UIDs and patients. Its owner alone may
            read it.
    """

    include_identifiers: bool = False
    pseudonym_key: Path | None = None
    key_table: Annotated[Path | None, Parameter(metavar="FILE")] = None

    def __post_init__(self) -> None:
        """Refuse a table of pseudonyms where there are none."""
        require(
            not (self.key_table and self.include_identifiers),
            "--key-table and --include-identifiers exclude each other.",
        )

    @property
    def key(self) -> bytes:
        """Key of the pseudonyms, empty without a file.

        Raises:
            CycloptsError: There is no such file.
            FilesError: It cannot be read.
            RequestError: It is too short, or one byte over and over.
        """
        if self.pseudonym_key is None:
            return b""
        if not self.pseudonym_key.is_file():
            raise CycloptsError(msg=f"--pseudonym-key {self.pseudonym_key} is not a file; name an existing one.")
        with accessing(self.pseudonym_key, "read", "name another file"):
            key = self.pseudonym_key.read_bytes()
        require_key(key, self.pseudonym_key)
        return key


@Parameter(name="*", group=PREDICTION)
@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """What to predict, in addition to how clips are made.

    Attributes:
        tasks: Tasks to predict, such as EF,AVStenosis. Default: all.
        on_error: What to do about a file that cannot be used.
        key_frames: Show a frame of each video in HTML and PDF reports, as --include-identifiers does too: text in the
            frame may name the patient.
        ranges: Reference ranges of your site: a CSV file with the columns task,sex,low,high,note,source.
    """

    tasks: Annotated[tuple[str, ...] | None, Names] = None
    on_error: OnError = "skip"
    key_frames: bool = False
    ranges: Annotated[Path | None, Parameter(metavar="FILE")] = None

    def request(self, clip_options: ClipOptions, naming: Naming) -> PredictionRequest:
        """Return what to predict of every study."""
        return PredictionRequest(
            tasks=self.tasks,
            clip_options=clip_options,
            on_error=self.on_error,
            key_frames=self.key_frames or naming.include_identifiers,
            ranges=load_ranges(self.ranges) if self.ranges else None,
        )


@Parameter(name="*", group=ONE_STUDY)
@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """How one study is reported.

    Attributes:
        per_video: Also report the predictions of each file.
        one_study: Take all files as one study, whatever their headers say.
    """

    per_video: bool = False
    one_study: bool = False


@Parameter(name="*", group=MANY_STUDIES)
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where the results of many studies go.

    Attributes:
        output: Predict each study found, and write all results to this folder.
        formats: What to write in addition to JSON and CSV.
        resume: Continue a run: skip the studies that the --output folder holds.
    """

    output: Annotated[Path | None, Parameter(metavar="FOLDER")] = None
    formats: Annotated[tuple[Format, ...], Names] = ()
    resume: bool = False

    def __post_init__(self) -> None:
        """Refuse options that mean nothing without an output folder."""
        require(self.output or not (self.formats or self.resume), "--formats and --resume need --output FOLDER.")


@Parameter(name="*", group=MANY_STUDIES)
@dataclass(frozen=True, kw_only=True)
class StudySelection:
    """Which studies to predict, if not those among the paths given.

    Attributes:
        index: Predict the studies that `panecho index` listed in this file.
        shard: Predict one of COUNT parts of the studies, from 0 on, such as 0/3; `panecho merge` joins the tables.
        dicomweb: Predict the studies of this DICOMweb server.
        query: Which of its studies, such as StudyDate=20260101-; may be repeated.
        dicomweb_header: Header to send to the DICOMweb server; may be repeated.
        dicomweb_token_file: File with the token to send to the DICOMweb server as 'Authorization: Bearer …'. Default:
            the environment variable PANECHO_DICOMWEB_TOKEN, if there is one.
        study_from: Which videos that are not DICOM make one study: file (each one), folder, a CSV file with columns
            file and study, or a regular expression of the path. Default: file.
    """

    index: Annotated[Path | None, Parameter(metavar="FILE")] = None
    shard: Annotated[str | None, Parameter(metavar="INDEX/COUNT")] = None
    dicomweb: Annotated[str | None, Parameter(metavar="URL")] = None
    query: Annotated[tuple[str, ...], Parameter(metavar="KEYWORD=VALUE")] = ()
    dicomweb_header: tuple[str, ...] = ()
    dicomweb_token_file: Annotated[Path | None, Parameter(metavar="FILE")] = None
    study_from: Annotated[str | None, Parameter(metavar="RULE")] = None

    def __post_init__(self) -> None:
        """Refuse options that mean nothing without a DICOMweb server, or with one."""
        require(
            self.dicomweb or not (self.query or self.dicomweb_header or self.dicomweb_token_file),
            "--query, --dicomweb-header and --dicomweb-token-file need --dicomweb URL.",
        )
        require(
            not self.study_from or not (self.dicomweb or self.index),
            "--study-from is about PATHS: leave the others out.",
        )

    @property
    def dicomweb_headers(self) -> dict[str, str]:
        """Headers of the DICOMweb server; errors as of ``Access.connection``."""
        headers = parse_pairs(self.dicomweb_header, ":", "--dicomweb-header")
        return with_token(headers, self.dicomweb_token_file, "PANECHO_DICOMWEB_TOKEN")

    @property
    def videos(self) -> "VideoStudies":
        """Which videos that are not DICOM make one study; errors as of ``VideoStudies.parse``."""
        from panecho_client.sources.video_studies import BY_FILE, VideoStudies

        return BY_FILE if self.study_from in (None, "file") else VideoStudies.parse(self.study_from)


def require_folder(option: str, path: Path | None) -> None:
    """Refuse a file that could not be written after the work is done.

    Raises:
        CycloptsError: The folder of the file does not exist.
    """
    if path is not None and not path.parent.is_dir():
        raise CycloptsError(msg=f"{option} {path}: the folder {path.parent} does not exist; make it first.")


def parse_pairs(lines: Iterable[str], separator: str, option: str) -> dict[str, str]:
    """Return names and values of lines such as ``Name: value``.

    Raises:
        CycloptsError: A line has no name or no value.
    """
    pairs = {}
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(separator))
        require(name and value, f"{option}: {line!r} is not NAME{separator}VALUE.")
        pairs[name] = value
    return pairs
