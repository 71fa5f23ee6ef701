"""Values of header elements as text; what cannot be converted counts as missing."""

from pydicom import Dataset
from pydicom.multival import MultiValue


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element's text."""
    try:
        return str(dataset.get(keyword) or "").strip()
    except Exception:  # noqa: BLE001  # pydicom converts on access and raises many kinds on garbage
        return ""


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return each of an element's values as text."""
    try:
        value = dataset.get(keyword)
        values = list(value) if isinstance(value, list | tuple | MultiValue) else [value]
        return [str(item).strip() for item in values if item is not None]
    except Exception:  # noqa: BLE001  # as above
        return []
