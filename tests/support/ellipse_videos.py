"""Invented hearts: ellipses that beat, in speckle, as EchoNet-Dynamic lays its videos out.

Size and beat decide the labels; place, brightness, gain and speckle decide nothing.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """How one hospital's videos look: side of the frame in pixels, gain, and grey added to all."""

    size: int = 32
    gain: float = 1.0
    offset: float = 0.0


HOME = Hospital()


def ellipse_frames(random: np.random.Generator, hospital: Hospital = HOME) -> tuple[NDArray[np.uint8], float, float]:
    """Return frames uint8 [16, size, size], the diameter LVIDd in cm, and EF in %."""
    size = hospital.size
    diameter, ejected = random.uniform(3.0, 6.5), random.uniform(0.2, 0.75)
    period, phase = random.uniform(5, 8), random.uniform(0, 2 * np.pi)
    beat = (1 - np.cos(2 * np.pi * np.arange(FRAMES) / period + phase)) / 2
    scale = np.cbrt(1 - ejected * beat)  # of the diameter: volumes go with its cube
    rows, columns = np.mgrid[:size, :size] / size
    y, x = random.uniform(0.42, 0.58, 2)
    dark, bright = random.uniform(15, 45), random.uniform(110, 180)
    frames = np.empty((FRAMES, size, size), np.uint8)
    for n in range(FRAMES):
        half = diameter * scale[n] / 20
        inside = ((columns - x) / half) ** 2 + ((rows - y) / (1.35 * half)) ** 2 < 1
        image = cv2.GaussianBlur(np.where(inside, dark, bright), (0, 0), size / 48)
        speckle = random.gamma(8, 1 / 8, (size, size))
        frames[n] = np.clip(image * speckle * hospital.gain + hospital.offset, 0, 255)
    return frames, float(diameter), float(100 * ejected)


def write_avi(path: Path, frames: NDArray[np.uint8], rate: float = 50) -> None:
    """Write grey frames as MJPEG, as EchoNet's are."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, frames.shape[2:0:-1])
    for frame in frames:
        writer.write(cv2.merge([frame, frame, frame]))
    writer.release()


def write_videos(
    folder: Path, count: int, *, seed: int = 0, hospital: Hospital = HOME, splits: tuple[float, float] = (0.75, 1.0)
) -> Path:
    """Write videos and their table, with the tasks EF and LVIDd; return the table.

    Args:
        folder: Where to write.
        count: Number of videos.
        seed: Of everything.
        hospital: How they look.
        splits: Shares of the videos up to which they are in train and in val; the rest is test.
    """
    (folder / "Videos").mkdir(parents=True, exist_ok=True)
    table = folder / "table.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("video", "study", "patient", "split", "EF", "LVIDd"))
        for number in range(count):
            random = np.random.default_rng((seed, number))
            frames, diameter, ef = ellipse_frames(random, hospital)
            write_avi(folder / "Videos" / f"{number:05}.avi", frames)
            place = number / count
            split = "train" if place < splits[0] else "val" if place < splits[1] else "test"
            name = f"v{number}"
            rows.writerow((f"Videos/{number:05}.avi", name, name, split, f"{ef:.3f}", f"{diameter:.4f}"))
    return table
