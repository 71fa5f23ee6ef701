"""Size limits of one file and of one request. A server's configuration can change each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a file, above which its status is TOO_LARGE, and of a request, above which it is refused.

    Attributes:
        max_frame_pixels: rows times columns. The default is a 4K screen capture (4096 x 2160); the largest ultrasound
            frames are about a megapixel.
        max_video_frames: frames of an AVI, MP4 or MPEG, each of which is reached only through those before it. The
            default is five minutes at 30 per second.
        max_inflated_bytes: size of a deflated DICOM once inflated; it may grow a thousandfold.
        max_files: files of a request.
        max_request_bytes: bytes of all files of a request together. The default is half of what gRPC takes.
        max_clip_frames: frames of all clips of a request together, 150,528 bytes each. The default is 128 clips of 16
            frames, 308 MB: what one request may hold in the queue of the model.
        memory_copies: how many times the size of a request's clips must be free in memory before it is started: copies
            here, in the server, on their way between models, and the model's activations. Measured with an embedded
            server: 5.3 to 6.5 times.
    """

    max_frame_pixels: int = 4096 * 2160
    max_video_frames: int = 9000
    max_inflated_bytes: int = 1 << 28
    max_files: int = 1024
    max_request_bytes: int = 1 << 30
    max_clip_frames: int = 128 * 16
    memory_copies: int = 8

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Self:
        """Read the limits from a model's configuration; those it does not name keep their defaults.

        Raises:
            ValueError: a limit is not a whole number above 0; the text names it.
        """
        chosen = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        for name, value in chosen.items():
            if not value.isdecimal() or int(value) == 0:
                raise ValueError(f"{name}={value!r}: must be a whole number above 0")
        return cls(**{name: int(value) for name, value in chosen.items()})
