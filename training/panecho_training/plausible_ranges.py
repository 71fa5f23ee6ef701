"""The range in which a measurement of a living heart lies: beyond it a label is in another unit, or a slip of the pen.

Far wider than what is normal: extremes of adults and children, rounded outwards. They only catch mistakes of entry.
"""

from collections.abc import Mapping

__all__ = ["PLAUSIBLE"]

PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "EF": (3, 95),
    "GLS": (0, 40),
    "LVEDV": (1, 700),
    "LVESV": (0.3, 650),
    "LVSV": (0.5, 300),
    "IVSd": (0.1, 5),
    "LVPWd": (0.1, 5),
    "LVIDs": (0.3, 12),
    "LVIDd": (0.5, 13),
    "LVOTDiam": (0.3, 4.5),
    "E|EAvg": (1, 80),
    "RVSP": (5, 200),
    "RVIDd": (0.3, 9),
    "TAPSE": (0.1, 5),
    "RVSVel": (1, 40),
    "LAIDs2D": (0.5, 12),
    "LAVol": (1, 800),
    "RADimensionM-L(cm)": (0.5, 12),
    "AVPkVel(m|s)": (0.2, 8),
    "TVPkGrad": (1, 180),
    "AORoot": (0.4, 9),
}
"""By task, in its unit."""
