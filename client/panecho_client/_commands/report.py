"""``panecho report``: reports of stored results, without predicting again."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from panecho_client._commands.console import SOME_FAILED, make_messages
from panecho_client._commands.options import Names, ReportFormat, require


def report(
    *results: Annotated[Path, Parameter(required=True)],
    formats: Annotated[tuple[ReportFormat, ...], Names],
    ranges: Annotated[Path | None, Parameter(metavar="FILE")] = None,
) -> int:
    """Write reports of results that `panecho predict --output` stored, into their folders. Nothing is predicted.

    Key frames are shown where the run kept them. Names are those of the run: pseudonyms stay pseudonyms.

    Exit status: 0 done; 1 error; 2 wrong usage; 3 done, but some studies could not be read; 130 interrupted.

    Args:
        results: The --output of a run, or folders of its studies.
        formats: Reports to write.
        ranges: Reference ranges of your site: a CSV file with the columns task,sex,low,high,note,source.
    """
    require(formats, "--formats is empty; name reports such as html,pdf.")
    from rich.progress import track

    from panecho_client._exceptions import FilesError
    from panecho_client.outputs.reference_ranges import load_ranges
    from panecho_client.outputs.sr import can_have_sr
    from panecho_client.outputs.stored_results import read_stored, study_folders
    from panecho_client.outputs.study_files import Outputs

    messages, used = make_messages(), load_ranges(ranges) if ranges else None
    names = [name.replace("-", "_") for name in formats]
    folders = [folder for given in results for folder in study_folders(given)]
    failed = 0
    for folder in track(folders, "Writing reports", console=messages, disable=not messages.is_terminal):
        try:
            study, identity = read_stored(folder)
        except FilesError as error:
            messages.print(str(error), style="red", markup=False)
            failed += 1
            continue
        frames = any(video.key_frame is not None for video in study.videos)
        outputs = Outputs.reports_in(folder, names, of_dicom=can_have_sr(study, identity))
        outputs.write(study, identity, key_frames=frames, ranges=used)
    messages.print(f"Studies: {len(folders)}. Reports written: {len(folders) - failed}.")
    return SOME_FAILED if failed else 0
