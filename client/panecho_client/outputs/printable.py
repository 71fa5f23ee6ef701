"""Text of others, such as names of files, that cannot command a terminal: control characters are shown, not sent."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

__all__ = ["hide_controls", "one_line"]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"

# Unicode has pictures of those below a space and of DEL; of C1, and of what turns the direction of text, it has none.
PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
PICTURES |= dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], ord(UNKNOWN))

KEPT_BREAKS = {code: picture for code, picture in PICTURES.items() if chr(code) not in "\n\t"}


def one_line(text: str) -> str:
    """Return a text with its control characters, line breaks included, as pictures."""
    return text.translate(PICTURES)


def hide_controls(console: Console) -> Console:
    """Let a console show the control characters of what it prints as pictures, and return it."""
    console.push_render_hook(_ShowsControls())
    return console


class _ShowsControls(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(renderable) for renderable in renderables]


class _Shown:
    """A renderable whose text holds no control character; rich's own commands, such as those of a bar, stay."""

    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(KEPT_BREAKS), segment.style)
