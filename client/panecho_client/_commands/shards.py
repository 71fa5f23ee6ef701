"""``panecho index`` and ``panecho merge``: before and after the runs over the shards of an archive."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from panecho_client._commands.console import SOME_FAILED, make_messages
from panecho_client._commands.options import require_folder


def index(
    *paths: Annotated[Path, Parameter(required=True)],
    output: Annotated[Path, Parameter(metavar="FILE")],
    study_from: Annotated[str, Parameter(metavar="RULE")] = "file",
) -> int:
    """List the studies of an archive for `panecho predict --index`, so that not every run has to look for them.

    Paths are written as they are given: every run must find the archive under the same path.

    Exit status: 0 done; 1 error; 2 wrong usage; 130 interrupted.

    Args:
        paths: Files, or folders and ZIP files that hold them.
        output: CSV file to write.
        study_from: Which videos that are not DICOM make one study: file (each one), folder, a CSV file with columns
            file and study, or a regular expression of the path.
    """
    require_folder("--output", output)
    from rich.progress import track

    from panecho_client._archive.shard import write_index
    from panecho_client._commands.predict_archive import find_studies
    from panecho_client.sources.video_studies import BY_FILE, VideoStudies

    messages = make_messages()
    with messages.status("Looking for studies"):
        videos = BY_FILE if study_from == "file" else VideoStudies.parse(study_from)
        studies = find_studies(paths, videos, messages)
    written = write_index(output, studies)
    for _ in track(written, "Naming studies", len(studies), console=messages, disable=not messages.is_terminal):
        pass
    messages.print(f"Studies: {len(studies)}. Files: {sum(len(study.paths) for study in studies)}.")
    print(output)
    return 0


def merge_shards(
    *folders: Annotated[Path, Parameter(required=True)], output: Annotated[Path, Parameter(metavar="FOLDER")]
) -> int:
    """Join the tables of all shards of an archive: the same tables as those of a single run.

    Nothing is written unless every shard was run to its end, with the same settings.

    Exit status: 0 done; 1 error; 2 wrong usage; 3 done, but some studies could not be predicted (see failures.csv);
    130 interrupted.

    Args:
        folders: The --output of every shard, or a folder that holds them.
        output: Folder to write the tables to.
    """
    from panecho_client._archive.shard_merge import find_parts, merge

    messages = make_messages()
    with messages.status("Joining tables"):
        merged = merge(find_parts(folders), output)
    messages.print(merged.summary)
    for table in merged.tables:
        print(table)
    return SOME_FAILED if merged.failed else 0
