r"""Writes what perf_analyzer sends, and prints the command that sends it.

python -m benchmarks.load_generator.perf_analyzer \
    [SCENARIO] [--output build/load-test] [--url localhost:8001] [--concurrency 1:8:1]

perf_analyzer comes with NVIDIA's SDK container, or from `fetch` next to it; `agreement` compares
its figures with Locust's.
"""

import argparse
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from load_tests.requests.errors import LoadTestError
from load_tests.requests.payloads import (
    CLIP_LENGTH,
    Payload,
    Payloads,
    Sending,
    clips,
    embeddings,
    single_video,
    whole_study,
)
from numpy.typing import NDArray

IMAGE = "nvcr.io/nvidia/tritonserver:26.11-py3-sdk"
SCENARIOS: Mapping[str, Payloads] = {
    "SingleVideo": single_video,
    "WholeStudy": whole_study,
    "Embeddings": embeddings,
    "Clips": clips,
}


def main() -> int:
    """Write the input, print the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS, default="SingleVideo")
    parser.add_argument("--output", type=Path, default=Path("build/load-test"))
    parser.add_argument("--url", default="localhost:8001", help="gRPC address, as the container sees it")
    parser.add_argument("--concurrency", default="1:8:1", help="first:last:step")
    parser.add_argument("--data", type=Path, help="folder of files to send")
    parser.add_argument("--num-clips", type=int, default=1)
    parser.add_argument("--clip-length", type=int, default=CLIP_LENGTH)
    arguments = parser.parse_args()
    sending = Sending(data=arguments.data, num_clips=arguments.num_clips, clip_length=arguments.clip_length)
    try:
        payloads = SCENARIOS[arguments.scenario](sending)
    except LoadTestError as error:
        print(f"perf_analyzer: {error}", file=sys.stderr)  # noqa: T201 - for the person who runs it
        return 1
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"{arguments.scenario}.json"
    path.write_text(json.dumps(input_data(payloads)))
    print(f"Wrote {path}", file=sys.stderr)  # noqa: T201 - as above
    print(command(payloads[0], path, arguments.url, arguments.concurrency))  # noqa: T201 - the result
    return 0


def input_data(payloads: Sequence[Payload]) -> dict[str, Any]:
    """Return the JSON that perf_analyzer's ``--input-data`` takes: tensors row by row, little-endian, in Base64.

    Of a model that batches, shapes go without the batch: perf_analyzer adds it.
    """
    return {
        "data": [
            {name: _tensor(array, batched=payload.model == "backbone") for name, array in payload.inputs.items()}
            for payload in payloads
        ]
    }


def _tensor(array: NDArray[Any], *, batched: bool) -> dict[str, Any]:
    if batched and array.shape[0] != 1:
        raise LoadTestError(f"perf_analyzer sends one clip a request to the backbone, not {array.shape[0]}.")
    shape = array.shape[1:] if batched else array.shape
    return {"content": {"b64": base64.b64encode(array.tobytes()).decode()}, "shape": list(shape)}


def command(payload: Payload, path: Path, url: str, concurrency: str) -> str:
    """Return the command. It asks for all outputs: perf_analyzer cannot choose."""
    parts = [
        f'docker run --rm --network host -v "{path.parent.resolve()}:/data" {IMAGE}',
        f"perf_analyzer -m {payload.model} -u {url} -i grpc --input-data /data/{path.name}",
        f"--concurrency-range {concurrency} --percentile 95 --measurement-interval 20000",
    ]
    return " \\\n  ".join([*parts, " ".join(parameters(payload))])


def parameters(payload: Payload) -> list[str]:
    """Return the options that send the request's parameters."""
    texts = [f"{name}:{value}:{_type(value)}" for name, value in payload.parameters.items()]
    return [word for text in texts for word in ("--request-parameter", text)]


def _type(value: int | str) -> str:
    return "string" if isinstance(value, str) else "int"


if __name__ == "__main__":
    sys.exit(main())
