"""Answers of the HTTP endpoint as JSON, for parsers of any language: JSON has no NaN."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

import pytest

from panecho_server import TritonServer

PARAMETERS = {"num_clips": 1, "clip_length": 1}
OUTPUTS = ("EF", "video/EF", "embedding", "video_status", "clip_logits", "clip_video", "video_digest")


def ask(server: TritonServer, files: list[bytes], **parameters: object) -> bytes:
    """Return the answer to a study whose files are sent as binary data."""
    content = b"".join(files)
    sizes = b"".join(len(file).to_bytes(8, "little") for file in files)
    inputs: list[dict[str, Any]] = [
        {"name": name, "datatype": kind, "shape": [count], "parameters": {"binary_data_size": size}}
        for name, kind, count, size in (
            ("video_bytes", "UINT8", len(content), len(content)),
            ("video_sizes", "INT64", len(files), len(sizes)),
        )
    ]
    asked = {"inputs": inputs, "outputs": [{"name": name} for name in OUTPUTS], "parameters": PARAMETERS | parameters}
    header = json.dumps(asked).encode()
    request = urllib.request.Request(
        f"http://{server.http_url}/v2/models/panecho/infer",
        header + content + sizes,
        {"Inference-Header-Content-Length": str(len(header))},
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - our own server
        return bytes(response.read())


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def strictly(answer: bytes) -> dict[str, Any]:
    """Parse as other languages do; Python's parser takes NaN by itself."""
    return {output["name"]: output for output in json.loads(answer, parse_constant=refuse)["outputs"]}


def test_a_skipped_file_leaves_no_nan_where_zeros_are_asked_for(server: TritonServer, cine: Path) -> None:
    files = [b"no video", cine.read_bytes()]
    with pytest.raises(ValueError, match="NaN"):
        strictly(ask(server, files))
    zeros = strictly(ask(server, files, unusable_rows="zero"))
    assert zeros["video/EF"]["data"] == [0, zeros["EF"]["data"][0]]
    assert set(zeros["embedding"]["data"][:768]) == {0}
    assert [status.partition(":")[0] for status in zeros["video_status"]["data"]] == ["NOT_A_VIDEO", "ok"]
    assert [len(digest) for digest in zeros["video_digest"]["data"]] == [0, 64]
    assert strictly(ask(server, files[1:]))["video_digest"]["data"] == zeros["video_digest"]["data"][1:]


@pytest.mark.parametrize("value", ["none", "", 0, True])
def test_another_value_is_refused(server: TritonServer, cine: Path, value: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, [cine.read_bytes()], unusable_rows=value)
    assert caught.value.code == 400
    assert "unusable_rows=" in caught.value.read().decode()
