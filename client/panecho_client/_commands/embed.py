"""``panecho embed``: one embedding per video."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from panecho_client._async_client import DEFAULT_CONCURRENCY
from panecho_client._client import PanEcho
from panecho_client._clip_options import ClipOptions
from panecho_client._commands import options
from panecho_client._commands.predict_study import tell_left_out, waiting
from panecho_client._connection import DEFAULT_URL, Connection
from panecho_client._exceptions import PanEchoError
from panecho_client._files import find_files
from panecho_client._identity.study_identity import identify_files
from panecho_client.outputs.embedding_files import write_embeddings

SUFFIXES = (".npz", ".parquet")


def embed(  # noqa: PLR0913 - one argument per option of the command
    paths: Annotated[
        list[Path], typer.Argument(help="Videos, or folders and archives that hold them.", show_default=False)
    ],
    *,
    output: Annotated[
        Path, typer.Option(help="File to write: .npz (NumPy) or .parquet.", metavar="FILE", show_default=False)
    ],
    url: options.Url = DEFAULT_URL,
    num_clips: options.NumClips = ClipOptions.num_clips,
    clip_length: options.ClipLength = ClipOptions.clip_length,
    frame_stride: options.FrameStride = ClipOptions.frame_stride,
    frame_rate: options.FrameRate = ClipOptions.frame_rate,
    mask: options.Mask = ClipOptions.mask,
    decode_scale: options.DecodeScale = ClipOptions.decode_scale,
    include_identifiers: options.IncludeIdentifiers = False,
    pseudonym_key: options.PseudonymKey = None,
    timeout: options.Timeout = Connection.timeout,
    concurrency: options.Concurrency = DEFAULT_CONCURRENCY,
    header: options.Header = None,
    root_certificates: options.RootCertificates = None,
    certificate: options.Certificate = None,
    private_key: options.PrivateKey = None,
) -> None:
    """Write the embedding of each video, 768 numbers, the mean over its clips.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 130 interrupted.
    """
    if output.suffix not in SUFFIXES or not output.parent.is_dir():
        raise typer.BadParameter(f"{output} is no .npz or .parquet in an existing folder.", param_hint="--output")
    key = options.read_pseudonym_key(pseudonym_key)
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        sampling = ClipOptions(
            num_clips=num_clips,
            clip_length=clip_length,
            frame_stride=frame_stride,
            frame_rate=frame_rate,
            mask=mask,
            decode_scale=decode_scale,
        )
        connection = options.make_connection(
            url=url,
            timeout=timeout,
            header=header,
            root_certificates=root_certificates,
            certificate=certificate,
            private_key=private_key,
        )
        found = find_files(paths)
        tell_left_out(messages, found)
        identity = identify_files(found.files, include_identifiers=include_identifiers, pseudonym_key=key)
        with PanEcho(connection, concurrency=concurrency) as panecho, waiting(messages, found, url) as on_progress:
            embeddings = panecho.embed(found.files, clip_options=sampling, on_progress=on_progress)
        write_embeddings(output, [file.name for file in identity.files], list(embeddings.values()))
    except PanEchoError as error:
        messages.print(f"panecho embed: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    skipped = sum(isinstance(embedding, str) for embedding in embeddings.values())
    if skipped:
        messages.print(f"{skipped} of {len(embeddings)} files were skipped.", style="yellow")
    typer.echo(output)
