"""What the command line makes of its options: the dataclasses that the Python interface takes."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trustme
from cyclopts import App, CycloptsError

from panecho_client import ClipOptions, Connection, Tls
from panecho_client._archive.prediction_request import PredictionRequest
from panecho_client._commands.embed import embed
from panecho_client._commands.options import Naming, RunOptions, StudySelection
from panecho_client._commands.predict import predict
from panecho_client.outputs.study_files import Outputs
from panecho_server import ServerSettings
from panecho_server.cli import serve


def parse(command: Callable[..., Any], *arguments: str) -> dict[str, Any]:
    app = App(exit_on_error=False, print_error=False)
    app.default(command)
    _, bound, _ = app.parse_args(arguments)
    bound.apply_defaults()
    return bound.arguments


def test_defaults_are_those_of_the_dataclasses() -> None:
    parsed = parse(predict, "a.dcm")
    assert parsed["paths"] == (Path("a.dcm"),)
    assert parsed["clip_options"] == ClipOptions()
    assert parsed["server"].connection == Connection()
    assert all(getattr(parsed["files"], field.name) == field.default for field in fields(Outputs))
    request = parsed["options"].request(parsed["clip_options"], parsed["naming"])
    assert request == PredictionRequest(tasks=None, clip_options=ClipOptions(), on_error="skip", key_frames=False)
    assert parse(serve)["settings"] == ServerSettings()


def test_every_clip_option_is_an_option() -> None:
    chosen = ClipOptions(
        num_clips=1,
        clip_length=8,
        frame_stride=2,
        frame_rate=12.5,
        max_frames=100,
        min_frame_rate=25,
        framing="published",
        mask="region",
        crop="sector",
        colour="grey",
        decode_scale="reduced",
    )
    arguments = [f"--{field.name.replace('_', '-')}={getattr(chosen, field.name)}" for field in fields(ClipOptions)]
    assert parse(predict, "a.dcm", *arguments)["clip_options"] == chosen
    assert parse(embed, "a.dcm", "--output=a.npz", *arguments)["clip_options"] == chosen
    assert all(getattr(chosen, field.name) != field.default for field in fields(ClipOptions))


def test_connection(tmp_path: Path) -> None:
    pem, certificate = tmp_path / "all.pem", trustme.CA().issue_cert("client@example.org")
    certificate.private_key_and_cert_chain_pem.write_to_path(pem)
    parsed = parse(
        predict,
        *("a.dcm", "--url", "host:1", "--timeout", "3", "--concurrency", "2"),
        *("--header", "Authorization: Bearer a:b", "--header", "X: 1"),
        *(f"--{name}={pem}" for name in ("root-certificates", "certificate", "private-key")),
    )
    assert parsed["server"].connection == Connection(
        url="host:1",
        timeout=3,
        headers={"Authorization": "Bearer a:b", "X": "1"},
        tls=Tls(root_certificates=pem, certificate=pem, private_key=pem),
    )
    assert parsed["server"].concurrency == 2


def test_lists_and_names() -> None:
    parsed = parse(
        predict,
        *("--output", "out", "--formats", "html, sr", "--tasks", "EF,AVStenosis", "--tasks", "GLS"),
        *("--dicomweb", "http://pacs", "--query", "StudyDate=2026", "--query", "PatientID=1"),
    )
    assert parsed["run"] == RunOptions(output=Path("out"), formats=("html", "sr"))
    assert parsed["options"].tasks == ("EF", "AVStenosis", "GLS")
    assert parsed["selection"] == StudySelection(dicomweb="http://pacs", query=("StudyDate=2026", "PatientID=1"))


def test_stdout_as_a_file() -> None:
    assert parse(predict, "a.dcm", "--json", "-")["files"].json == Path("-")


def test_identifiers_in_outputs_show_key_frames_too() -> None:
    parsed = parse(predict, "a.dcm", "--include-identifiers")
    assert parsed["options"].request(parsed["clip_options"], parsed["naming"]).key_frames


def test_pseudonym_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    assert Naming().key == b""
    with pytest.raises(CycloptsError, match=r"--pseudonym-key .*key is not a file"):
        _ = Naming(pseudonym_key=key).key
    key.write_bytes(b"only ours, and long enough")
    assert Naming(pseudonym_key=key).key == b"only ours, and long enough"


def test_settings_of_the_server() -> None:
    parsed = parse(serve, "--load", "image_encoder", "--grpc-port=0", "--options.grpc-infer-thread-count=8")
    assert parsed["settings"] == ServerSettings(
        load=("image_encoder",), grpc_port=0, options={"grpc-infer-thread-count": "8"}
    )
