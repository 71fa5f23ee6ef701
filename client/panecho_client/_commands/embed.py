"""``panecho embed``: one embedding per video."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from panecho_client._clip_options import ClipOptions
from panecho_client._commands.console import make_messages
from panecho_client._commands.options import (
    MANY_STUDIES,
    Clips,
    Naming,
    RequestOptions,
    RunOptions,
    ServerOptions,
    StudySelection,
    require,
    require_folder,
)

SUFFIXES = (".npz", ".parquet")


def embed(  # noqa: PLR0913 - one argument per group of options
    *paths: Path,
    output: Annotated[Path, Parameter(metavar="FILE|FOLDER")],
    resume: Annotated[bool, Parameter(group=MANY_STUDIES)] = False,
    selection: StudySelection = StudySelection(),
    clip_options: Clips = ClipOptions(),
    naming: Naming = Naming(),
    server: ServerOptions = ServerOptions(),
) -> int:
    """Write the embedding of each video: 768 numbers, the mean over its clips.

    To a file, or for many studies to a folder, study by study, with the predictions that come with them: see `panecho
    predict --output`, of which this is --formats embeddings.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 3 some studies
    of a folder failed; 130 interrupted, with what was done in the folder.

    Args:
        paths: Videos, or folders and ZIP files that hold them.
        output: File to write, .npz (NumPy) or .parquet; or a folder, whose embeddings.parquet has a row per video with
            its study, patient and UIDs.
        resume: Continue a run: skip the studies that the --output folder holds.
    """
    require(
        sum(map(bool, (paths, selection.index, selection.dicomweb))) == 1,
        "Give one of: PATHS, --index FILE, --dicomweb URL.",
    )
    if output.suffix not in SUFFIXES:
        require(not output.suffix or output.is_dir(), f"--output {output}: name a .npz or .parquet file, or a folder.")
        from panecho_client._commands.predict_archive import predict_many

        request = RequestOptions().request(clip_options, naming)
        run = RunOptions(output=output, formats=("embeddings",), resume=resume)
        return predict_many(
            paths, request, selection=selection, run=run, naming=naming, server=server, command="panecho embed"
        )
    chosen = resume or selection != StudySelection()
    require(not chosen, f"--output {output}: --resume, --index, --shard and the like need a folder.")
    require_folder("--output", output)
    return embed_files(paths, output, clip_options=clip_options, naming=naming, server=server)


def embed_files(
    paths: tuple[Path, ...], output: Path, *, clip_options: ClipOptions, naming: Naming, server: ServerOptions
) -> int:
    """Write the embeddings of files to one file; arguments and exit status as of ``embed``."""
    pseudonym_key = naming.key
    from panecho_client._client import PanEcho
    from panecho_client._commands.predict_study import open_local, tell_left_out, waiting
    from panecho_client._files.found_files import find_files
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
