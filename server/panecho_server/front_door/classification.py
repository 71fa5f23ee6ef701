"""Finds requests that ask for the classification of an output, by Triton's extension of that name."""

import json
from dataclasses import dataclass
from typing import Any

from panecho_server.front_door.wire_format import fields

PARAMETER = "classification"

# Fields of inference.ModelInferRequest, of its InferRequestedOutputTensor, and of an entry of a map.
MODEL_NAME, MODEL_VERSION, OUTPUTS = 1, 2, 6
OUTPUT_NAME, OUTPUT_PARAMETERS = 1, 2
MAP_KEY = 1


@dataclass(frozen=True)
class Classification:
    """Outputs of a model that a request wants classified; no outputs: none."""

    model: str = ""
    version: str = ""
    outputs: frozenset[str] = frozenset()


def in_grpc_message(message: bytes) -> Classification:
    """Return what a ``ModelInferRequest`` wants classified.

    Raises:
        ValueError: It is not such a message.
    """
    texts = {MODEL_NAME: "", MODEL_VERSION: ""}
    outputs = set()
    for number, content in fields(memoryview(message)):
        if number in texts:
            texts[number] = str(content, "utf-8")
        elif number == OUTPUTS:
            name, parameters = _requested_output(content)
            if PARAMETER in parameters:
                outputs.add(name)
    return Classification(texts[MODEL_NAME], texts[MODEL_VERSION], frozenset(outputs))


def _requested_output(message: memoryview) -> tuple[str, set[str]]:
    name, parameters = "", set()
    for number, content in fields(message):
        if number == OUTPUT_NAME:
            name = str(content, "utf-8")
        elif number == OUTPUT_PARAMETERS:
            parameters |= {str(key, "utf-8") for field, key in fields(content) if field == MAP_KEY}
    return name, parameters


def in_http_header(header: bytes, model: str, version: str) -> Classification:
    """Return what the JSON of an HTTP request wants classified.

    Args:
        header: The JSON; tensors as binary data come after it.
        model: Name of the model, from the path.
        version: Its version, from the path; empty for none.

    Raises:
        ValueError: It is not JSON, though the word is in it.
    """
    if PARAMETER.encode() not in header and b"\\u" not in header:  # neither spelt out nor escaped
        return Classification(model, version)
    outputs: set[str] = set()

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Look at every pair: of two with one name, another parser may take the first."""
        if any(name == "parameters" and PARAMETER in value for name, value in pairs if isinstance(value, dict)):
            outputs.update(str(value) for name, value in pairs if name == "name")
        return dict(pairs)

    json.loads(header.decode(), object_pairs_hook=collect)
    return Classification(model, version, frozenset(outputs))
