"""``panecho dictionary``: what the columns of tables hold, of stored results and of a server."""

import csv
import io
from pathlib import Path

import pytest

from panecho_client._commands.app import run
from panecho_client.outputs.stored_results import write_stored
from panecho_server import TritonServer
from support.reported_studies import reported


def names(printed: str) -> list[str]:
    return [row["variable"] for row in csv.DictReader(io.StringIO(printed))]


def test_stored_results_and_server_say_the_same(
    server: TritonServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "results/studies/a"
    study.mkdir(parents=True)
    write_stored(study, *reported("normal"))
    for given in (str(tmp_path / "results"), str(study)):
        assert run(["dictionary", given]) == 0
        printed = capsys.readouterr().out
    assert run(["dictionary", "--url", server.grpc_url]) == 0
    assert names(capsys.readouterr().out) == names(printed)
    assert {"ef", "ef_sd", "avstenosis_none", "variable"} <= {*names(printed)}


def test_a_folder_without_results_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dictionary", str(tmp_path)]) == 1
    assert f"{tmp_path} holds no results; name the --output of panecho predict." in capsys.readouterr().err
