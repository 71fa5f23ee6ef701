"""PanEcho in PyTorch: task table, architecture, checkpoint format, released weights and the published call.

- ``PanEcho``: the published call (``hub``).
- ``tasks``: ``TASKS``, the 40 heads (``Task``), and ``find_tasks``.
- ``constants``: the published model's numbers, each named once.
- ``architecture``: ``PanEchoModel``, and its parts ``WithoutHeads`` and ``ImageEncoder``.
- ``checkpoint``, ``checkpoint_files``, ``released_file``, ``stand_in``: weights, from files or random.
- ``weights_identity``: ``WeightsIdentity``, which weights a model holds.
- ``errors``: ``ModelError`` and what derives from it.

Example:
    >>> from panecho_model import PanEcho
    >>> model = PanEcho(pretrained=True)

``tasks``, ``constants``, ``weights_identity`` and ``errors`` need no PyTorch; the rest is imported when it is used.
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
