"""``panecho embed``: one embedding per video."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from panecho_client._clip_options import ClipOptions
from panecho_client._commands.console import make_messages
from panecho_client._commands.options import Clips, Naming, ServerOptions, require, require_folder

SUFFIXES = (".npz", ".parquet")


def embed(
    *paths: Annotated[Path, Parameter(required=True)],
    output: Annotated[Path, Parameter(metavar="FILE")],
    clip_options: Clips = ClipOptions(),
    naming: Naming = Naming(),
    server: ServerOptions = ServerOptions(),
) -> int:
    """Write the embedding of each video: 768 numbers, the mean over its clips.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 130 interrupted.

    Args:
        paths: Videos, or folders and ZIP files that hold them.
        output: File to write: .npz (NumPy) or .parquet.
    """
    require(output.suffix in SUFFIXES, f"--output {output}: the name must end in .npz or .parquet.")
    require_folder("--output", output)
    pseudonym_key = naming.key
    from panecho_client._client import PanEcho
    from panecho_client._commands.predict_study import open_local, tell_left_out, waiting
    from panecho_client._files import find_files
    from panecho_client._identity.study_identity import identify_files
    from panecho_client.outputs.embedding_files import write_embeddings

    messages, found = make_messages(), find_files(paths)
    tell_left_out(messages, found.left_out)
    identity = identify_files(found.files, include_identifiers=naming.include_identifiers, pseudonym_key=pseudonym_key)
    connection, transport = server.connection, open_local(server, messages)
    with (
        PanEcho(connection, concurrency=server.concurrency, transport=transport) as panecho,
        waiting(messages, found, server.place) as on_progress,
    ):
        embeddings = panecho.embed(found.files, clip_options=clip_options, on_progress=on_progress)
    write_embeddings(output, [file.name for file in identity.files], list(embeddings.values()))
    skipped = sum(isinstance(embedding, str) for embedding in embeddings.values())
    if skipped:
        messages.print(f"{skipped} of {len(embeddings)} files were skipped.", style="yellow")
    print(output)
    return 0
