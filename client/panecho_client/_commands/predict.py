"""``panecho predict``."""

from dataclasses import fields
from pathlib import Path

from panecho_client._clip_options import ClipOptions
from panecho_client._commands.options import (
    Clips,
    Naming,
    OneStudyFiles,
    ReportOptions,
    RequestOptions,
    RunOptions,
    ServerOptions,
    StudySelection,
    require,
    require_folder,
)


def predict(  # noqa: PLR0913 - one argument per group of options
    *paths: Path,
    options: RequestOptions = RequestOptions(),
    clip_options: Clips = ClipOptions(),
    files: OneStudyFiles = OneStudyFiles(),
    report: ReportOptions = ReportOptions(),
    run: RunOptions = RunOptions(),
    selection: StudySelection = StudySelection(),
    naming: Naming = Naming(),
    server: ServerOptions = ServerOptions(),
) -> int:
    """Predict one study from all the files given and print a report; with --output, predict each study among them.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 3 some studies
    of an --output failed; 130 interrupted, with what was done in the --output.

    Args:
        paths: Files, or folders and ZIP files that hold them.
    """
    chosen = [name for name in (field.name for field in fields(files)) if getattr(files, name)]
    require(
        sum(map(bool, (paths, selection.index, selection.dicomweb))) == 1,
        "Give one of: PATHS, --index FILE, --dicomweb URL.",
    )
    request = options.request(clip_options, naming)
    if run.output is None:
        require(not (selection.index or selection.shard), "--index and --shard need --output FOLDER.")
        require(not selection.dicomweb, "--dicomweb needs --output FOLDER.")
        for name in chosen:
            require_folder(f"--{name.replace('_', '-')}", getattr(files, name))
        from panecho_client._commands.predict_study import predict_one

        return predict_one(
            paths, request, files=files, report=report, selection=selection, naming=naming, server=server
        )
    require(not chosen, "--json, --csv and the like are of one study; with --output use --formats.")
    require(not report.one_study, "--one-study and --output exclude each other.")
    from panecho_client._commands.predict_archive import predict_many

    return predict_many(paths, request, selection=selection, run=run, naming=naming, server=server)
