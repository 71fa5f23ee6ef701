"""``panecho predict``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from panecho_client._archive.output_folder import OutputFolder
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._async_client import DEFAULT_CONCURRENCY
from panecho_client._client import PanEcho
from panecho_client._clip_options import ClipOptions
from panecho_client._commands import options
from panecho_client._commands.predict_archive import StudySelection, predict_many
from panecho_client._commands.predict_study import ReportOptions, predict_one
from panecho_client._connection import DEFAULT_URL, Connection
from panecho_client._exceptions import PanEchoError
from panecho_client.outputs.study_files import Outputs

STDOUT = Path("-")


def predict(  # noqa: PLR0913 - one argument per option of the command
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, or folders and archives that hold them.", show_default=False)
    ] = None,
    *,
    url: options.Url = DEFAULT_URL,
    tasks: options.Tasks = None,
    num_clips: options.NumClips = ClipOptions.num_clips,
    clip_length: options.ClipLength = ClipOptions.clip_length,
    frame_stride: options.FrameStride = ClipOptions.frame_stride,
    frame_rate: options.FrameRate = ClipOptions.frame_rate,
    mask: options.Mask = ClipOptions.mask,
    decode_scale: options.DecodeScale = ClipOptions.decode_scale,
    on_error: options.OnError = "skip",
    json: Annotated[
        Path | None,
        typer.Option(help="Also write the results to this file; - prints them instead of the report.", metavar="FILE"),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Add a row per video, task and class to this table.", metavar="FILE")
    ] = None,
    wide_csv: Annotated[
        Path | None, typer.Option(help="Add a row for the study to this table.", metavar="FILE")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a row per video, task and class as Parquet.", metavar="FILE")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report to read in a browser.", metavar="FILE")] = None,
    sr: Annotated[Path | None, typer.Option(help="Write a DICOM structured report.", metavar="FILE")] = None,
    per_video: Annotated[bool, typer.Option("--per-video", help="Also report the predictions of each file.")] = False,
    one_study: Annotated[
        bool, typer.Option("--one-study", help="Take all files as one study, whatever their headers say.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Predict each study found, and write all results here.", metavar="FOLDER")
    ] = None,
    index: options.Index = None,
    shard: options.ShardOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an --output: skip what it holds.")] = False,
    formats: Annotated[
        str, typer.Option(help="What --output holds besides JSON and CSV: any of html,sr,parquet.", show_default=False)
    ] = "",
    key_frames: Annotated[
        bool,
        typer.Option(
            "--key-frames",
            help="Show a frame of each video in HTML reports, as --include-identifiers does too: text in it may name "
            "the patient.",
        ),
    ] = False,
    dicomweb: Annotated[
        str | None, typer.Option(help="Predict the studies of this DICOMweb server.", metavar="URL")
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option(help="Which of its studies, such as 'StudyDate=20260101-'; may be repeated.")
    ] = None,
    dicomweb_header: Annotated[list[str] | None, typer.Option(help="Sent to it; may be repeated.")] = None,
    include_identifiers: options.IncludeIdentifiers = False,
    pseudonym_key: options.PseudonymKey = None,
    timeout: options.Timeout = Connection.timeout,
    concurrency: options.Concurrency = DEFAULT_CONCURRENCY,
    header: options.Header = None,
    root_certificates: options.RootCertificates = None,
    certificate: options.Certificate = None,
    private_key: options.PrivateKey = None,
) -> None:
    """Predict one study from all the files given and print a report; with --output, each study among them.

    Exit status: 0 done, also when files were skipped (stderr says how many); 1 error; 2 wrong usage; 3 some studies
    of an --output failed; 130 interrupted, with what was done in the --output.
    """
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    single = Outputs(
        json=None if json == STDOUT else json,
        csv=csv,
        wide_csv=wide_csv,
        parquet=parquet,
        html=html,
        sr=sr,
        include_identifiers=include_identifiers,
        pseudonym_key=pseudonym_key,
    )
    _require_paths(single)
    files = (json, csv, wide_csv, parquet, html, sr)
    _require_sense(
        {
            "one of PATHS, --index and --dicomweb": sum(map(bool, (paths, index, dicomweb))) == 1,
            "--index and --shard need --output": bool(output) or not (index or shard),
            "--resume needs --output": bool(output) or not resume,
            "--formats needs --output": bool(output) or not formats,
            "--dicomweb needs --output": bool(output) or not dicomweb,
            "--query and --dicomweb-header need --dicomweb": bool(dicomweb) or not (query or dicomweb_header),
            "with --output use --formats instead of --json, --csv, …": not (output and any(files)),
            "--one-study and --output exclude each other": not (one_study and output),
        }
    )
    try:
        wanted = PredictionRequest(
            tasks=options.split_tasks(tasks),
            clip_options=ClipOptions(
                num_clips=num_clips,
                clip_length=clip_length,
                frame_stride=frame_stride,
                frame_rate=frame_rate,
                mask=mask,
                decode_scale=decode_scale,
            ),
            on_error=on_error,
            key_frames=key_frames or include_identifiers,
        )
        connection = options.make_connection(
            url=url,
            timeout=timeout,
            header=header,
            root_certificates=root_certificates,
            certificate=certificate,
            private_key=private_key,
        )
        if output is None:
            with PanEcho(connection, concurrency=concurrency) as panecho:
                predict_one(
                    panecho,
                    paths or [],
                    wanted,
                    outputs=single,
                    shown=ReportOptions(url=url, json=json == STDOUT, per_video=per_video),
                    one_study=one_study,
                    messages=messages,
                )
        else:
            predict_many(
                connection,
                StudySelection(
                    paths=paths or [],
                    index=index,
                    shard=shard,
                    dicomweb=dicomweb,
                    query=options.parse_pairs(query, "=", "--query"),
                    headers=options.parse_pairs(dicomweb_header, ":", "--dicomweb-header"),
                ),
                wanted,
                OutputFolder(
                    output,
                    **dict.fromkeys(options.parse_formats(formats), True),
                    include_identifiers=include_identifiers,
                    pseudonym_key=options.read_pseudonym_key(pseudonym_key),
                ),
                concurrency=concurrency,
                resume=resume,
                messages=messages,
            )
    except PanEchoError as error:
        messages.print(f"panecho predict: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


def _require_sense(rules: dict[str, bool]) -> None:
    """Refuse options that contradict each other."""
    for text, kept in rules.items():
        if not kept:
            raise typer.BadParameter(text)


def _require_paths(outputs: Outputs) -> None:
    """Refuse before the prediction what could not be written after it."""
    if outputs.pseudonym_key is not None and not outputs.pseudonym_key.is_file():
        raise typer.BadParameter(f"{outputs.pseudonym_key} is no file.", param_hint="--pseudonym-key")
    for name in ("json", "csv", "wide_csv", "parquet", "html", "sr"):
        path = getattr(outputs, name)
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(
                f"the folder {path.parent} does not exist.", param_hint=f"--{name.replace('_', '-')}"
            )
