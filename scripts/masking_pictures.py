"""Draws docs/pictures/masking-*.png and prints the numbers of docs/guide/framing.md: what each step keeps of cines.

python scripts/masking_pictures.py FOLDER   # FOLDER holds the files named below

Burned-in text that may say who, where or when is painted over before anything is drawn; the masks are found before.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from timeit import repeat
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import generate_frames

from panecho_preprocessing.dicom.regions import read_regions, tissue_box
from panecho_preprocessing.frames import Box, Frame
from panecho_preprocessing.framing.framing import find_framing
from panecho_preprocessing.framing.sector import find_sector
from panecho_preprocessing.options import FRAMINGS

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
_WIDTH: Final = 336  # of a panel; two fill a column of text, and the model's 224 pixels are drawn one for one
_GREEN, _RED, _WHITE, _PAINT = (0, 255, 0), (60, 60, 255), (255, 255, 255), (90, 90, 90)


@dataclass(frozen=True, slots=True)
class Cine:
    """One scanner's file, and where its burned-in text identifies somebody."""

    name: str
    file: str
    identifying: tuple[Box, ...] = ()


CINES: Final = (
    Cine("sonosite", "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"),
    Cine(
        "acuson",
        "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm",
        (Box(0, 32, 0, 576), Box(32, 47, 440, 576), Box(80, 111, 440, 576)),
    ),
    Cine(
        "ge",
        "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm",
        (Box(0, 40, 0, 120), Box(656, 708, 900, 1016)),
    ),
)


def main() -> None:
    """Draw one picture for each cine and print its line of the table."""
    folder = Path(sys.argv[1])
    cv2.setNumThreads(1)
    PICTURES.mkdir(exist_ok=True)
    lines = [
        "| cine | region | sector | of it in the region | standing text: none, region, auto | find, ms | apply, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for cine in CINES:
        frames, region = read(folder / cine.file)
        cv2.imwrite(str(PICTURES / f"masking-{cine.name}.png"), picture(cine, frames, region))
        lines.append(measured(cine, frames, region))
    print("\n".join(lines))  # noqa: T201  # the table is for whoever runs this


def read(path: Path) -> tuple[list[Frame], Box | None]:
    """Decode 8 frames of a JPEG baseline cine, from first to last, and read its region."""
    dataset = dcmread(path)
    count = int(dataset.NumberOfFrames)
    jpegs = list(generate_frames(dataset.PixelData, number_of_frames=count))
    chosen = np.linspace(0, count - 1, 8).round().astype(int)
    frames = [np.asarray(cv2.imdecode(np.frombuffer(jpegs[index], np.uint8), cv2.IMREAD_COLOR)) for index in chosen]
    region = tissue_box(read_regions(dataset), *frames[0].shape[:2])
    return [frame.astype(np.uint8, copy=False) for frame in frames], region


def picture(cine: Cine, frames: list[Frame], region: Box | None) -> NDArray[np.uint8]:
    """Draw the steps over what comes out: uint8 [height, width, 3]."""
    shown = frames[len(frames) // 2].copy()
    for box in cine.identifying:
        shown[box.top : box.bottom, box.left : box.right] = _PAINT
    columns = shown.shape[1]
    with_region, with_sector = shown.copy(), brightened(shown)
    if region is not None:
        corners = (region.left, region.top), (region.right - 1, region.bottom - 1)
        cv2.rectangle(with_region, *corners, _RED, columns // 250)
    if (sector := find_sector(frames)) is not None:
        outlines, _ = cv2.findContours(sector.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(with_sector, outlines, -1, _GREEN, columns // 250)
    top = panel(shown, "decoded"), panel(with_region, "header's region"), panel(with_sector, "sector found (x 3)")
    bottom = [panel(find_framing(frames, region, FRAMINGS[policy]).apply(shown), policy) for policy in FRAMINGS]
    return np.vstack([np.hstack(top), np.hstack(bottom)])


def brightened(frame: Frame) -> Frame:
    """Multiply by 3, to show faint edges."""
    return np.minimum(frame.astype(np.uint16) * 3, 255).astype(np.uint8)


def panel(image: Frame, title: str) -> Frame:
    """Fit an image into a panel's width, without enlarging it, and write a title above it."""
    height, width = image.shape[:2]
    wide = _WIDTH - 8 if width > _WIDTH else width
    scaled = cv2.resize(image, (wide, round(height * wide / width)), interpolation=cv2.INTER_AREA)
    side = _WIDTH - wide
    framed = cv2.copyMakeBorder(
        np.asarray(scaled), 24, 8, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=(48, 48, 48)
    )
    cv2.putText(framed, title, (side // 2, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(framed, dtype=np.uint8)


def measured(cine: Cine, frames: list[Frame], region: Box | None) -> str:
    """Write one line of the table: shares of the frame, pixels of 224 x 224, milliseconds without and with the mask."""
    rows, columns = frames[0].shape[:2]
    sector = find_sector(frames)
    if region is None or sector is None:
        return f"| {cine.name} | {region} | {sector is not None} | | | | |"
    share = region.height * region.width / sector.size
    held = sector[region.top : region.bottom, region.left : region.right].sum() / sector.sum()
    none, cropped, auto = (find_framing(frames, region, FRAMINGS[policy]) for policy in ("whole", "masked", "tight"))
    standing = [standing_pixels([framing.apply(frame) for frame in frames]) for framing in (none, cropped, auto)]
    finding = milliseconds(lambda: find_framing(frames, region, FRAMINGS["tight"]))
    plain, masked = milliseconds(lambda: none.apply(frames[0])), milliseconds(lambda: auto.apply(frames[0]))
    return (
        f"| {cine.name} {rows} x {columns} | {share:.0%} | {sector.mean():.1%} | {held:.1%} "
        f"| {', '.join(map(str, standing))} | {finding:.1f} | {plain:.2f}, {masked:.2f} |"
    )


def standing_pixels(frames: list[Frame]) -> int:
    """Count the bright pixels that are the same in all frames, which tissue hardly ever is."""
    stack = np.stack(frames).max(-1)
    return int(((stack.min(0) > 60) & (stack.max(0) - stack.min(0) < 2)).sum())


def milliseconds(work: Callable[[], object]) -> float:
    """Time one call: the median of 31."""
    return float(np.median(repeat(work, number=1, repeat=31))) * 1000


if __name__ == "__main__":
    main()
