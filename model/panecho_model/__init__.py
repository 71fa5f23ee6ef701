"""PanEcho in PyTorch: task table, architecture, checkpoint format, released weights and the published call.

Example:
    >>> from panecho_model import PanEcho
    >>> model = PanEcho(pretrained=True)

``panecho_model.tasks`` and ``panecho_model.constants`` need no PyTorch; the rest is imported when it is used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panecho_model.hub import PanEcho

__all__ = ["PanEcho"]


def __getattr__(name: str) -> object:
    if name == "PanEcho":
        from panecho_model.hub import PanEcho  # noqa: PLC0415 - PyTorch takes seconds to import

        return PanEcho
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
