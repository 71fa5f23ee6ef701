from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from panecho_preprocessing.framing.sector import find_sector
from support.probing import probe

Image = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Cone:
    """A sector of known shape on an image of 480 x 640, with everything around it that scanners draw."""

    x: int = 320
    y: int = 40
    half_angle: int = 40
    radius: int = 360
    faint: bool = False

    def filled(self) -> Image:
        image = np.zeros((480, 640), np.uint8)
        span = -self.half_angle, self.half_angle
        arc = cv2.ellipse2Poly((self.x, self.y), (self.radius, self.radius), 90, *span, 1)
        cv2.fillPoly(image, [np.array([[self.x, self.y], *np.asarray(arc)], np.int32)], (1,))
        return image

    def brightness(self) -> NDArray[np.float64]:
        """Mean grey level: 60 in the middle; 8 at the sides where they are faint."""
        rows, columns = np.mgrid[:480, :640]
        angle = np.degrees(np.abs(np.arctan2(columns - self.x, np.maximum(rows - self.y, 1))))
        return 60 - 52 * np.clip(angle / self.half_angle, 0, 1) if self.faint else np.full((480, 640), 60.0)

    def frames(self, count: int = 8, *, quality: int = 75) -> list[Image]:
        """Draw the cine: uint8 [480, 640, 3], as a JPEG decoder gives it back."""
        random = np.random.default_rng(7)
        return [self._jpeg(self._frame(random, number), quality) for number in range(count)]

    def clutter(self) -> Bools:
        """Where text, scales, bars and ECG are drawn in any frame and do not cover the sector."""
        drawn = np.zeros((480, 640, 3), np.uint8)
        for number in range(8):
            _annotate(drawn, number)
        return np.asarray((drawn.max(-1) > 0) & (self.filled() == 0))

    def _frame(self, random: np.random.Generator, number: int) -> Image:
        speckle = cv2.GaussianBlur(random.rayleigh(1.0, (480, 640)), (5, 5), 0) * self.brightness()
        grey = np.clip(speckle, 0, 255).astype(np.uint8)
        image = np.repeat(grey[..., None], 3, axis=2)
        middle = (self.x, self.y + self.radius * 2 // 3)
        cv2.ellipse(image, middle, (self.radius // 8, self.radius // 6), 0, 0, 360, (0, 0, 0), -1)  # blood
        image[_colour_box(self)] = (200 * (number % 2), 0, 200 * (1 - number % 2))
        image[self.filled() == 0] = 0
        _annotate(image, number)
        return image

    @staticmethod
    def _jpeg(image: Image, quality: int) -> Image:
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _colour_box(cone: Cone) -> tuple[slice, slice]:
    top = cone.y + cone.radius // 2
    return slice(top, top + 60), slice(cone.x + 10, cone.x + 60)


def _annotate(image: Image, number: int) -> None:
    """Draw static text, a banner, a grey bar and depth ticks, and an ECG that scrolls with a cursor over it."""
    cv2.rectangle(image, (0, 0), (640, 18), (90, 60, 60), -1)
    for row, text in enumerate(("HOSPITAL 12", "2.5 MHz", "Gain 60 dB", "HR 61")):
        cv2.putText(image, text, (8, 40 + 22 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 220, 220), 1)
    for row in range(40, 400, 24):
        cv2.line(image, (628, row), (636, row), (200, 200, 200), 2)
    image[60:200, 606:618] = np.linspace(255, 0, 140).astype(np.uint8)[:, None, None]
    columns = np.arange(20, 600)
    phase = (columns + 17 * number) % 150
    trace = 450 - 30 * np.exp(-(((phase - 70) / 4.0) ** 2)) - 4 * np.sin(phase / 12)
    points = np.stack([columns, trace.round()], axis=1).astype(np.int32)
    cv2.polylines(image, [points], isClosed=False, color=(200, 230, 60), thickness=2)
    cv2.line(image, (60 + 60 * number, 420), (60 + 60 * number, 470), (255, 255, 255), 2)
    cv2.putText(image, f"{number + 20}", (600, 470), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 220, 220), 1)


CONES = {
    "wide": Cone(half_angle=45, radius=350),
    "narrow": Cone(half_angle=18),
    "off centre": Cone(x=250, half_angle=35),
    "apex cut off by the banner": Cone(y=-40, half_angle=30, radius=440),
    "faint edges": Cone(half_angle=42, faint=True),
    "small": Cone(y=100, half_angle=40, radius=220),
}


def found(frames: Sequence[Image]) -> Bools:
    sector = find_sector(frames)
    assert sector is not None
    assert sector.shape == frames[0].shape[:2]
    assert sector.dtype == np.bool_
    return sector


@pytest.mark.parametrize("name", CONES)
@pytest.mark.parametrize("quality", [75, 95])
def test_keeps_the_sector_and_drops_the_clutter(name: str, quality: int) -> None:
    cone = CONES[name]
    truth = cone.filled() > 0
    truth[:19] = False  # the banner
    sector = found(cone.frames(quality=quality))
    assert (sector & truth).sum() >= 0.97 * truth.sum()
    assert (sector & cone.clutter()).sum() <= 0.05 * cone.clutter().sum()
    # Nothing is kept further out than a JPEG block of the sector's edge may be smeared.
    assert not (sector & (cv2.dilate(cone.filled(), np.ones((33, 33))) == 0)).any()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_fewer_frames_do(count: int) -> None:
    cone = CONES["off centre"]
    truth = cone.filled() > 0
    sector = found(cone.frames(count))
    assert (sector & truth).sum() >= 0.97 * truth.sum()
    assert (sector & cone.clutter()).sum() <= 0.05 * cone.clutter().sum()


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_grey_frames_do(channel: int) -> None:
    cone = CONES["wide"]
    truth = cone.filled() > 0
    sector = found([frame[..., channel] for frame in cone.frames()])
    assert (sector & truth).sum() >= 0.97 * truth.sum()


def test_the_same_frames_give_the_same_sector() -> None:
    frames = CONES["wide"].frames()
    np.testing.assert_array_equal(found(frames), found([frame.copy() for frame in frames]))


def test_frames_stay_as_they_are() -> None:
    frames = CONES["wide"].frames()
    before = [frame.copy() for frame in frames]
    find_sector(frames)
    np.testing.assert_array_equal(frames, before)


def test_a_colour_box_stays_though_its_frame_stands_still() -> None:
    cone = CONES["wide"]
    frames = cone.frames()
    rows, columns = _colour_box(cone)
    for frame in frames:
        cv2.rectangle(frame, (columns.start, rows.start), (columns.stop, rows.stop), (255, 255, 255), 1)
    assert found(frames)[rows.start - 2 : rows.stop + 3, columns.start - 2 : columns.stop + 3].all()


def test_a_label_that_reaches_into_the_sector_goes() -> None:
    frames = CONES["wide"].frames()
    for frame in frames:
        frame[180:200, 440:600] = 230  # 12 of its pixels lie in the sector
    sector = found(frames)
    assert not sector[182:198, 440:600].any()
    assert sector[205:220, 400:450].all()


def test_what_appears_once_does_not_move() -> None:
    frames = CONES["wide"].frames()
    for frame in frames[4:]:
        frame[40:150, 400:600] = 120  # a panel that touches the sector
    assert not found(frames)[40:110, 450:600].any()


def test_both_halves_of_a_split_screen_stay() -> None:
    frames = Cone(half_angle=20, x=160).frames()
    for frame in frames:
        frame[:, 320:] = frame[:, :320]
    left = Cone(half_angle=20, x=160).filled() > 0
    sector = found(frames)
    assert (sector & left).sum() >= 0.97 * left.sum()
    assert (sector[:, 320:] & left[:, :320]).sum() >= 0.97 * left.sum()
    assert not sector[300, 315:325].any()


RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([], id="no frame"),
        pytest.param(CONES["wide"].frames(1), id="one frame"),
        pytest.param(CONES["wide"].frames(1) * 8, id="nothing moves"),
        pytest.param([np.zeros((300, 400, 3), np.uint8)] * 8, id="black"),
        pytest.param(list(RANDOM.integers(0, 256, (8, 300, 400), np.uint8)), id="noise"),
        pytest.param(list(RANDOM.integers(0, 256, (2, 3, 3), np.uint8)), id="3 x 3"),
        pytest.param(list(RANDOM.integers(0, 256, (2, 0, 0), np.uint8)), id="no pixels"),
        pytest.param(list(RANDOM.integers(0, 256, (2, 1, 700, 3), np.uint8)), id="one row"),
        pytest.param([np.zeros((9, 9), np.uint8), np.zeros((9, 8), np.uint8)], id="different sizes"),
        pytest.param([frame[250:350, 250:350] for frame in CONES["wide"].frames()], id="image from edge to edge"),
    ],
)
def test_cannot_be_told(frames: list[Image]) -> None:
    assert find_sector(frames) is None


# Read off the pictures of the cines by eye: rows and columns of rectangles.
SONOSITE_OUT = {
    "PLA, Gen THI, S": np.s_[:30, :38],
    "marker": np.s_[17:24, 188:194],
    "Crd, MI, TIS": np.s_[:140, 300:],
    "scale": np.s_[:140, 296:],
    "19": np.s_[198:208, 284:296],
    "menu": np.s_[222:, :],
}
SONOSITE_IN = {
    "top": np.s_[22:26, 165:172],
    "faint left corner": np.s_[146:152, 50:60],
    "faint right corner": np.s_[146:152, 280:288],
    "bottom": np.s_[190:198, 150:190],
    "left edge": np.s_[78:84, 112:116],
}
ACUSON = "acuson_sequoia_a4c_65f_jpegbaseline_ybr422.dcm"
ACUSON_OUT = {
    "banner": np.s_[:32, :],
    "grey bar": np.s_[46:232, :18],
    "time, probe, gain": np.s_[34:172, 446:],
    "Store in progress": np.s_[177:190, 449:],
    "HR": np.s_[192:207, 480:],
    "orientation marks": np.s_[48:62, 328:370],
    "focus arrows": np.s_[145:150, 152:156],
    "ECG": np.s_[400:, 30:195],
    "menu": np.s_[440:, :],
}
ACUSON_IN = {
    "apex": np.s_[52:60, 276:300],
    "faint left edge": np.s_[212:218, 104:112],
    "right edge": np.s_[160:168, 410:420],
    "lateral wall": np.s_[210:350, 370:400],
    "bottom": np.s_[375:388, 240:320],
}
GE = "ge_vivid_e95_colordoppler_27f_jpegbaseline_DERIVED.dcm"
GE_OUT = {
    "ACE, FPS, f, G": np.s_[:120, :205],
    "V": np.s_[74:96, 544:562],
    "colour bar": np.s_[:235, 960:],
    "5": np.s_[200:220, 372:385],
    "10": np.s_[346:366, 248:270],
    "15": np.s_[492:512, 136:164],
    "ECG": np.s_[622:, :285],
    "heart rate, time": np.s_[656:, 900:],
}
GE_IN = {
    "apex": np.s_[84:92, 506:512],
    "colour box": np.s_[260:628, 490:640],
    "colour box, right corner": np.s_[540:552, 780:800],
    "faint left edge": np.s_[470:490, 215:225],
    "right corner": np.s_[528:536, 850:856],
    "bottom": np.s_[640:652, 470:530],
}
PALETTE = "philips_palette_2f_rle.dcm"
PALETTE_OUT = {
    "banner": np.s_[:60, :],
    "text": np.s_[62:260, :130],
    "P": np.s_[62:85, 308:332],
    "grey bar": np.s_[85:215, 778:],
    "marks": np.s_[468:525, 135:200],
    "below": np.s_[520:, :],
}
PALETTE_IN = {
    "left corner": np.s_[408:414, 135:140],
    "top": np.s_[100:110, 350:570],
    "bottom": np.s_[500:508, 430:490],
    "right edge": np.s_[380:390, 760:764],
}


@pytest.mark.parametrize(
    ("name", "outside", "inside"),
    [
        ("", SONOSITE_OUT, SONOSITE_IN),
        (ACUSON, ACUSON_OUT, ACUSON_IN),
        (GE, GE_OUT, GE_IN),
        (PALETTE, PALETTE_OUT, PALETTE_IN),
    ],
    ids=["SonoSite", "Acuson", "GE", "palette"],
)
def test_real_cines(
    name: str,
    outside: dict[str, tuple[slice, slice]],
    inside: dict[str, tuple[slice, slice]],
    shared: Callable[[str], bytes],
    sonosite: bytes,
) -> None:
    data = shared(name) if name else sonosite
    sector = found(probe(data))
    assert [place for place, pixels in outside.items() if sector[pixels].any()] == []
    assert [place for place, pixels in inside.items() if not sector[pixels].all()] == []
