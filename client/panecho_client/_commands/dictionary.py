"""``panecho dictionary``: what the columns of the tables hold."""

from pathlib import Path

from panecho_client._commands.options import ServerOptions


def dictionary(results: Path | None = None, /, *, server: ServerOptions = ServerOptions()) -> int:
    """Print the data dictionary of the tables as CSV: column, type, PanEcho's task and class, unit, meaning.

    A run writes it to its --output too, as dictionary.csv.

    Exit status: 0 done; 1 error; 2 wrong usage; 130 interrupted.

    Args:
        results: The --output of a run, or the folder of a study. Default: the tasks of the server.
    """
    from panecho_client._client import PanEcho
    from panecho_client._commands.console import make_messages
    from panecho_client._commands.predict_study import open_local
    from panecho_client.outputs.dictionary import DICTIONARY_COLUMNS, dictionary_rows
    from panecho_client.outputs.stored_results import read_stored, study_folders
    from panecho_client.outputs.table_files import csv_text

    if results is not None:
        study, _ = read_stored(study_folders(results)[0])
        tasks = [prediction.task for prediction in study.predictions.values()]
    else:
        with PanEcho(server.connection, transport=open_local(server, make_messages())) as panecho:
            tasks = [*panecho.tasks]
    print(csv_text(dictionary_rows(tasks), DICTIONARY_COLUMNS), end="")
    return 0
