"""What one would write without this project: pydicom, OpenCV and the eager model, as a function and behind FastAPI.

python -m benchmarks.obvious --port 9000    # POST /predict, the bytes of a file; answers the logits of its clip
"""

import argparse
import io
import tempfile

import cv2
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from panecho_model.checkpoint import load_model
from panecho_model.constants import IMAGENET_MEAN, IMAGENET_STD
from panecho_model.stand_in import stand_in_weights, with_training_means

CLIP_LENGTH = 16


class Obvious:
    """The published model with the weights that ``panecho export --stand-in 0`` serves, FP32, not scripted."""

    def __init__(self) -> None:
        self._model = load_model(with_training_means(stand_in_weights(0))).eval()

    def predict(self, data: bytes) -> NDArray[np.float32]:
        """Return the logits [58] of the middle clip of a cine."""
        with torch.inference_mode():
            logits, _ = self._model.forward_normalised(torch.from_numpy(middle_clip(data)))
        return np.asarray(logits[0].numpy())


def middle_clip(data: bytes) -> NDArray[np.float32]:
    """Return the middle clip of a cine, FP32 [1, 3, 16, 224, 224], as the published model takes it."""
    frames = read_frames(data)
    start = max(0, len(frames) - CLIP_LENGTH) // 2
    chosen = frames[[min(start + step, len(frames) - 1) for step in range(CLIP_LENGTH)]]
    small = np.stack([cv2.resize(frame, (256, 256), interpolation=cv2.INTER_AREA) for frame in chosen])
    clip = small[:, 16:240, 16:240].astype(np.float32) / 255
    normalised = (clip - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(normalised.transpose(3, 0, 1, 2)[None], dtype=np.float32)


def read_frames(data: bytes) -> NDArray[np.uint8]:
    """Return all frames of a DICOM cine or a video, BGR."""
    if data[128:132] == b"DICM":
        return np.asarray(pixel_array(dcmread(io.BytesIO(data)))[..., ::-1], dtype=np.uint8)
    frames = []
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        capture = cv2.VideoCapture(file.name)
        while (read := capture.read())[0]:
            frames.append(read[1])
    return np.asarray(frames, dtype=np.uint8)


def make_app() -> FastAPI:
    """Return the service: each request runs in Starlette's pool of threads."""
    app, obvious = FastAPI(), Obvious()

    @app.post("/predict")
    async def predict(request: Request) -> list[float]:
        logits = await run_in_threadpool(obvious.predict, await request.body())
        return [float(logit) for logit in logits]

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(make_app(), host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
