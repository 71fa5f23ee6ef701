"""Draws docs/pictures/masking-*.png and prints the tables of docs/guide/framing.md: what each framing shows of cines.

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

from panecho_preprocessing import CROP, RESIZE, Limits
from panecho_preprocessing.dicom.open_dicom import open_dicom
from panecho_preprocessing.frames import Box, Frame
from panecho_preprocessing.framing.framing import Framing, find_framing
from panecho_preprocessing.framing.resize import resize_and_crop
from panecho_preprocessing.framing.sector import find_sector
from panecho_preprocessing.options import FRAMINGS

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
_WIDTH: Final = 1008  # of a picture; the model's 224 pixels are drawn one for one
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_GREEN, _RED, _WHITE, _PAINT = (0, 255, 0), (60, 60, 255), (255, 255, 255), (90, 90, 90)


@dataclass(frozen=True, slots=True)
class Cine:
    """One scanner's file, and where its burned-in text identifies somebody."""

    name: str
    file: str
    picture: str = ""
    identifying: tuple[Box, ...] = ()


CINES: Final = (
    Cine("SonoSite", "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm", "sonosite"),
    Cine(
        "Acuson",
        "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm",
        "acuson",
        (Box(0, 32, 0, 576), Box(32, 47, 440, 576), Box(80, 111, 440, 576)),
    ),
    Cine(
        "GE, colour Doppler",
        "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm",
        "ge",
        (Box(0, 40, 0, 120), Box(656, 708, 900, 1016)),
    ),
    Cine("Philips palette, 2 frames", "philips_palette_2f_rle.dcm"),
    Cine("Medistim, 2 frames", "medistim_2f_jpeglossless_rgb.dcm"),
)

TABLES: Final = {
    "scale": "| cine | frame | sector in `masked`, `published`, `whole` | in `tight` | `tight` is larger by |",
    "masks": "| cine | kept by `masked`, `published`, `tight` | overlap of `masked` and `published` "
    "| kept by `published` alone | by `masked` alone | overlap of `masked` and `tight` |",
    "texts": "| cine | header's region, of frame | part of the sector in it "
    "| standing text: `whole`, `published`, `tight`, `masked` | find, ms: `masked`, `published` "
    "| apply, ms: `whole`, `published`, `tight`, `masked` |",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A cine's frames and what each framing makes of them.

    Attributes:
        frames: 8 frames, from first to last.
        region: the header's.
        is_rgb: as in `find_framing`.
        sector: bool of the frame's size.
        framings: by name.
    """

    frames: list[Frame]
    region: Box | None
    is_rgb: bool
    sector: NDArray[np.bool_]
    framings: dict[str, Framing]


def main() -> None:
    """Draw a picture for each cine that has one, and print the tables."""
    folder = Path(sys.argv[1])
    cv2.setNumThreads(1)
    PICTURES.mkdir(exist_ok=True)
    cines = {cine: read(folder / cine.file) for cine in CINES}
    for cine, seen in cines.items():
        if cine.picture:
            cv2.imwrite(str(PICTURES / f"masking-{cine.picture}.png"), picture(cine, seen))
    rows = {"scale": scale_row, "masks": mask_row, "texts": text_row}
    for name, heads in TABLES.items():
        rule = "|---" * (heads.count("|") - 1) + "|"
        lines = [f"| {cine.name} | {rows[name](seen)} |" for cine, seen in cines.items()]
        print("\n".join([heads, rule, *lines, ""]))  # noqa: T201  # the tables are for whoever runs this


def read(path: Path) -> Seen:
    """Decode 8 frames of a cine and find every framing.

    Raises:
        SystemExit: It has no sector.
    """
    cine = open_dicom(memoryview(path.read_bytes()), Limits())
    chosen = np.unique(np.linspace(0, cine.reader.count - 1, 8).round().astype(int)).tolist()
    frames = list(cine.reader.map(np.copy, chosen, None))
    sector = find_sector(frames)
    if sector is None:
        raise SystemExit(f"{path.name} has no sector.")
    framings = {
        name: find_framing(frames, cine.tissue, policy, is_rgb=cine.is_rgb) for name, policy in FRAMINGS.items()
    }
    return Seen(frames, cine.tissue, cine.is_rgb, sector, framings)


def picture(cine: Cine, seen: Seen) -> NDArray[np.uint8]:
    """Draw the steps over what comes out: uint8 [height, width, 3]."""
    shown = seen.frames[len(seen.frames) // 2].copy()
    for box in cine.identifying:
        shown[box.top : box.bottom, box.left : box.right] = _PAINT
    columns = shown.shape[1]
    with_region, with_outlines = shown.copy(), brightened(shown)
    if seen.region is not None:
        corners = (seen.region.left, seen.region.top), (seen.region.right - 1, seen.region.bottom - 1)
        cv2.rectangle(with_region, *corners, _RED, columns // 250)
    for kept, colour in ((published(seen), _RED), (seen.sector.view(np.uint8), _GREEN)):
        outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(with_outlines, outlines, -1, colour, columns // 250)
    steps = {"decoded": shown, "header's region": with_region, "x 3: sector, published": with_outlines}
    top = [panel(image, title, _WIDTH // 3) for title, image in steps.items()]
    bottom = [
        panel(coloured(framing.apply(shown)), f"{name}: {' x '.join(map(str, size(seen, name)))}", _WIDTH // 4)
        for name, framing in seen.framings.items()
    ]
    return np.vstack([np.hstack(top), np.hstack(bottom)])


def brightened(frame: Frame) -> Frame:
    """Multiply by 3, to show faint edges."""
    return np.minimum(frame.astype(np.uint16) * 3, 255).astype(np.uint8)


def coloured(image: Frame) -> Frame:
    """Return a grey image as three equal channels."""
    return np.ascontiguousarray(np.broadcast_to(image, (CROP, CROP, 3)))


def panel(image: Frame, title: str, width: int) -> Frame:
    """Fit an image into a panel's width, without enlarging it, and write a title above it."""
    height, columns = image.shape[:2]
    wide = min(columns, width - 8)
    scaled = cv2.resize(image, (wide, round(height * wide / columns)), interpolation=cv2.INTER_AREA)
    side = width - wide
    framed = cv2.copyMakeBorder(
        np.asarray(scaled), 24, 8, side // 2, side - side // 2, cv2.BORDER_CONSTANT, value=(48, 48, 48)
    )
    cv2.putText(framed, title, (side // 2, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return np.asarray(framed, dtype=np.uint8)


def published(seen: Seen) -> NDArray[np.uint8]:
    """Return what the published mask keeps, uint8 of the frame's size."""
    outline = seen.framings["published"].outline
    return np.zeros(seen.sector.shape, np.uint8) if outline is None else outline


def size(seen: Seen, name: str) -> tuple[int, int]:
    """Return height and width of the sector in pixels of the model."""
    rows, columns = seen.sector.shape
    box = seen.framings[name].box or Box(0, rows, 0, columns)
    _, _, width, height = cv2.boundingRect(seen.sector.view(np.uint8))
    return round(height * RESIZE / box.height), round(width * RESIZE / box.width)


def scale_row(seen: Seen) -> str:
    """Return the sector's size in pixels of the model, height and width."""
    rows, columns = seen.sector.shape
    box = seen.framings["tight"].box or Box(0, rows, 0, columns)
    masked, tight = (f" {_TIMES} ".join(map(str, size(seen, name))) for name in ("masked", "tight"))
    larger = f"{_TIMES}{rows / box.height:.2f}, {_TIMES}{columns / box.width:.2f}"
    return f"{rows} {_TIMES} {columns} | {masked} | {tight} | {larger}"


def mask_row(seen: Seen) -> str:
    """Return what is kept of the model's 224 x 224 pixels; overlaps are intersection over union, of the frame."""
    masked, tight = (seen.framings[name].mask for name in ("masked", "tight"))
    if masked is None or tight is None:
        return " | ".join("-" * 5)
    ours, theirs = masked > 0, resize_and_crop(published(seen))[..., 0] >= 128
    shares = ", ".join(f"{kept.mean():.0%}" for kept in (ours, theirs, tight > 0))
    alone = f"{np.count_nonzero(theirs & ~ours)} px | {np.count_nonzero(ours & ~theirs)} px"
    rows, columns = seen.sector.shape
    in_masked = seen.sector & visible(Box(0, rows, 0, columns), seen.sector.shape)
    in_tight = seen.sector & visible(seen.framings["tight"].box or Box(0, rows, 0, columns), seen.sector.shape)
    return f"{shares} | {overlap(ours, theirs):.0%} | {alone} | {overlap(in_masked, in_tight):.0%}"


def visible(box: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels of the frame that remain after the crop from 256 to 224."""
    inside = np.zeros(shape, np.bool_)
    rows, columns = (round(length * (RESIZE - CROP) / RESIZE / 2) for length in (box.height, box.width))
    inside[box.top + rows : box.bottom - rows, box.left + columns : box.right - columns] = True
    return inside


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return intersection over union."""
    return float((one & other).sum() / (one | other).sum())


def text_row(seen: Seen) -> str:
    """Return the region's share, the text that stands still, and milliseconds to find and to apply a framing."""
    inside = np.zeros(seen.sector.shape, np.bool_)
    if seen.region:
        inside[seen.region.top : seen.region.bottom, seen.region.left : seen.region.right] = True
    ordered = [seen.framings[name] for name in ("whole", "published", "tight", "masked")]
    standing = [standing_pixels([coloured(framing.apply(frame)) for frame in seen.frames]) for framing in ordered]
    finding = [
        milliseconds(lambda name=name: find_framing(seen.frames, seen.region, FRAMINGS[name], is_rgb=seen.is_rgb))  # type: ignore[misc] # mypy cannot infer a lambda with a default
        for name in ("masked", "published")
    ]
    applying = [milliseconds(lambda framing=framing: framing.apply(seen.frames[0])) for framing in ordered]  # type: ignore[misc] # as above
    return (
        f"{inside.mean():.0%} | {inside[seen.sector].mean():.0%} | {', '.join(map(str, standing))} "
        f"| {', '.join(f'{value:.1f}' for value in finding)} | {', '.join(f'{value:.2f}' for value in applying)}"
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
