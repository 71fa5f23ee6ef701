"""Options that several subcommands take."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from panecho_client._archive.shard import Shard
from panecho_client._connection import Connection, Tls

Url: TypeAlias = Annotated[
    str,
    typer.Option(
        help="host:port of the server's gRPC endpoint, http://host:port of its HTTP endpoint, or dns:///name:port."
    ),
]
NumClips: TypeAlias = Annotated[int, typer.Option(min=1, help="Clips taken from each video.")]
ClipLength: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="Frames of a clip. Default: as the model was exported, 16.", show_default=False),
]
FrameStride: TypeAlias = Annotated[int, typer.Option(min=1, help="A clip takes every nth frame.")]
FrameRate: TypeAlias = Annotated[
    float | None, typer.Option(help="Resample videos to so many frames per second first.", show_default=False)
]
Mask: TypeAlias = Annotated[
    Literal["auto", "region", "none"],
    typer.Option(help="What of a DICOM's frames is shown: the sector, the header's region, or all."),
]
DecodeScale: TypeAlias = Annotated[
    Literal["full", "reduced"], typer.Option(help="Decode large JPEG frames at a fraction of their size: faster.")
]
Tasks: TypeAlias = Annotated[
    str | None, typer.Option(help="Tasks to predict, such as 'EF,AVStenosis'. Default: all.", show_default=False)
]
OnError: TypeAlias = Annotated[
    Literal["skip", "fail"], typer.Option(help="What to do about a file that cannot be used.")
]
Timeout: TypeAlias = Annotated[float, typer.Option(min=0.001, help="Seconds that one request may take.")]
Concurrency: TypeAlias = Annotated[int, typer.Option(min=1, help="Requests that are under way at a time.")]
Header: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Sent with every request, such as 'Authorization: Bearer …'; may be repeated.")
]
RootCertificates: TypeAlias = Annotated[
    Path | None, typer.Option(help="PEM file of the authorities to trust; encrypts.", metavar="FILE")
]
Certificate: TypeAlias = Annotated[
    Path | None, typer.Option(help="PEM file of the client's certificate, for mutual TLS.", metavar="FILE")
]
PrivateKey: TypeAlias = Annotated[Path | None, typer.Option(help="PEM file of its private key.", metavar="FILE")]
IncludeIdentifiers: TypeAlias = Annotated[
    bool, typer.Option("--include-identifiers", help="Write identifiers instead of pseudonyms.")
]
PseudonymKey: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="File whose content makes pseudonyms that nobody can compute without it.", metavar="FILE"),
]


def parse_shard(text: str) -> Shard:
    """Return the shard of a text such as ``0/3``."""
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Index: TypeAlias = Annotated[
    Path | None, typer.Option(help="Predict the studies that `panecho index` listed in this file.", metavar="FILE")
]
ShardOption: TypeAlias = Annotated[
    Shard | None,
    typer.Option(
        "--shard",
        parser=parse_shard,
        help="Predict one of COUNT parts of the studies, from 0 on, such as 0/3; `panecho merge` joins the tables.",
        metavar="INDEX/COUNT",
        show_default=False,
    ),
]
FORMATS = ("html", "sr", "parquet")


def read_pseudonym_key(path: Path | None) -> bytes:
    """Return the pseudonym key that the file holds; empty without a file."""
    if path is None:
        return b""
    if not path.is_file():
        raise typer.BadParameter(f"{path} is no file.", param_hint="--pseudonym-key")
    return path.read_bytes()


def split_tasks(tasks: str | None) -> list[str] | None:
    """Return the names of the tasks; None for all."""
    return None if tasks is None else [key.strip() for key in tasks.split(",")]


def make_connection(  # noqa: PLR0913 - one argument per option
    *,
    url: str,
    timeout: float,
    header: list[str] | None,
    root_certificates: Path | None,
    certificate: Path | None,
    private_key: Path | None,
) -> Connection:
    """Return the connection that the options describe; RequestError when they contradict each other."""
    files = (root_certificates, certificate, private_key)
    tls = Tls(root_certificates=files[0], certificate_chain=files[1], private_key=files[2]) if any(files) else None
    return Connection(url=url, timeout=timeout, headers=parse_pairs(header, ":", "--header"), tls=tls)


def parse_pairs(lines: list[str] | None, separator: str, option: str) -> dict[str, str]:
    """Return names and values of lines such as ``Name: value``."""
    pairs = {name.strip(): value.strip() for name, _, value in (line.partition(separator) for line in lines or [])}
    if not all(name and value for name, value in pairs.items()):
        raise typer.BadParameter(f"each is NAME{separator}VALUE.", param_hint=option)
    return pairs


def parse_formats(text: str) -> list[str]:
    """Return the names of the formats."""
    formats = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(FORMATS)}.", param_hint="--formats")
    return formats
