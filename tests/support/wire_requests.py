"""Requests that are wrong in one way each, as raw gRPC messages: no client library checks them first."""

import random
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from panecho_preprocessing import ClipOptions

FLOAT_EDGES = (np.nan, np.inf, -np.inf)
INT64 = (-(2**63), -(2**31), -1, 2**31, 2**62, 2**63 - 1)
DATA_TYPES = (
    "BOOL",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
    "UINT9",
    "",
)
MAX_CLIPS = 128
WORDS = ("", "x", "num_clip", "NUM_CLIPS", "clip-length", "../../etc/passwd", "\u00e9", "a" * 300)


@dataclass(frozen=True)
class Wrong:
    """A request that must be refused.

    Attributes:
        name: Which way it is wrong.
        message: What is sent.
        field: What the refusal must name.
    """

    name: str
    message: service_pb2.ModelInferRequest
    field: str


def request(model: str, tensors: dict[str, tuple[str, list[int], bytes]]) -> service_pb2.ModelInferRequest:
    """Return a request of tensors: data type, shape and content by name."""
    message = service_pb2.ModelInferRequest(model_name=model)
    for name, (data_type, shape, content) in tensors.items():
        message.inputs.add(name=name, datatype=data_type, shape=shape)
        message.raw_input_contents.append(content)
    return message


def study(content: bytes, sizes: list[int]) -> service_pb2.ModelInferRequest:
    """Return a request of the ensemble."""
    return request(
        "panecho",
        {
            "video_bytes": ("UINT8", [len(content)], content),
            "video_sizes": ("INT64", [len(sizes)], np.array(sizes, np.int64).tobytes()),
        },
    )


def gathered(
    rows: int, clip_video: list[int], videos: int, logits: NDArray[np.float32]
) -> service_pb2.ModelInferRequest:
    """Return a request of postprocessing by itself."""
    status = b"".join(len(text).to_bytes(4, "little") + text for text in [b"ok"] * videos)
    return request(
        "postprocessing",
        {
            "logits": ("FP32", [*logits.shape], logits.tobytes()),
            "clip_embedding": ("FP32", [rows, 768], bytes(rows * 768 * 4)),
            "clip_video": ("INT32", [len(clip_video)], np.array(clip_video, np.int32).tobytes()),
            "video_status": ("BYTES", [videos], status),
        },
    )


class WrongRequests:
    """Draws wrong requests around a file that would be right."""

    def __init__(self, file: bytes, seed: int) -> None:
        self._file = file
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._kinds = [
            self._data_type,
            self._shape,
            self._missing,
            self._unknown_input,
            self._sizes,
            self._parameter,
            self._unknown_parameter,
            self._output,
            self._content,
            self._clips,
            self._rows,
            self._clip_video,
            self._not_finite,
        ]

    def draw(self) -> Wrong:
        """Return the next one."""
        return self._random.choice(self._kinds)()

    def _data_type(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        tensor = self._random.choice(message.inputs)
        tensor.datatype = self._random.choice(DATA_TYPES)
        return Wrong("data type", message, tensor.name)

    def _shape(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        tensor = self._random.choice(message.inputs)
        size = tensor.shape[0]
        shapes: list[list[int]] = [
            [],
            [size, 1],
            [1, size],
            [size + 1],
            [-size],
            [0],
            [self._random.choice(INT64)],
            [2**40, 2**40],
        ]
        del tensor.shape[:]
        tensor.shape.extend(self._random.choice(shapes))
        return Wrong(f"shape {[*tensor.shape]}", message, tensor.name)

    def _missing(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        index = self._random.randrange(2)
        name = message.inputs[index].name
        del message.inputs[index]
        del message.raw_input_contents[index]
        return Wrong("missing input", message, name)

    def _unknown_input(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        name = self._random.choice([word for word in WORDS if word])
        message.inputs.add(name=name, datatype="UINT8", shape=[1])
        message.raw_input_contents.append(b"\0")
        return Wrong("unknown input", message, name)

    def _sizes(self) -> Wrong:
        size = len(self._file)
        few: list[list[int]] = [[], [size - 1], [size + 1], [size, size], [-size], [0]]
        lies = [*few, [2**62] * 4, [size, -1, 1], [*INT64], [1] * 2000]
        return Wrong("video_sizes", study(self._file, self._random.choice(lies)), "video_sizes")

    def _parameter(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        name = self._random.choice([field.name for field in fields(ClipOptions) if field.name != "key_frames"])
        parameter = message.parameters[name]
        kind = self._random.randrange(3)
        if kind == 0:
            parameter.string_param = self._random.choice(["", "many", "0", "-1", "1e9", "nan", "auto ", "\u0663", "[]"])
        elif kind == 1:
            parameter.int64_param = self._random.choice([0, *INT64])
        else:
            parameter.bool_param = bool(self._random.randrange(2))
        return Wrong(f"parameter {name} {parameter}", message, name)

    def _unknown_parameter(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        name = self._random.choice([word for word in WORDS if word])
        message.parameters[name].int64_param = 1
        return Wrong("unknown parameter", message, name[:30])  # long ones are cut

    def _output(self) -> Wrong:
        message = study(self._file, [len(self._file)])
        name = self._random.choice([word for word in WORDS if word])
        message.outputs.add(name=name)
        return Wrong("unknown output", message, name)

    def _content(self) -> Wrong:
        content = self._random.randbytes(self._random.choice([0, 1, 132, 4096]))
        return Wrong("no video", study(content, [len(content)]), "video_sizes")

    def _clips(self) -> Wrong:
        shapes = ([1, 224, 224, 3], [1, 1, 224, 224], [1, 1, 224, 224, 1], [1, 1, 8, 8, 3], [129, 1, 2, 2, 3])
        shape = self._random.choice(shapes)
        content = bytes(int(np.prod(shape)))
        field = "batch-size" if shape[0] > MAX_CLIPS else "clips"  # as Triton says
        return Wrong(f"clips {shape}", request("backbone", {"clips": ("UINT8", shape, content)}), field)

    def _rows(self) -> Wrong:
        rows, others = self._random.sample(range(1, 6), 2)
        message = gathered(rows, [0] * rows, 1, np.zeros((others, 58), np.float32))
        return Wrong("rows that do not agree", message, "logits")

    def _clip_video(self) -> Wrong:
        wrong = self._random.choice([-1, 1, 2**31 - 1, -(2**31)])
        return Wrong("clip_video", gathered(2, [0, wrong], 1, np.zeros((2, 58), np.float32)), "clip_video")

    def _not_finite(self) -> Wrong:
        logits = np.zeros((1, 58), np.float32)
        logits[0, self._random.randrange(58)] = self._random.choice(FLOAT_EDGES)
        return Wrong("logits that are not finite", gathered(1, [0], 1, logits), "video_sizes[0]")
