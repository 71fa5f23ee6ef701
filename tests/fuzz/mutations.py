"""From a seed number and a count to one broken file, always the same."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from fuzz.decompression_bombs import deflated_bomb
from fuzz.inconsistent_headers import LENGTHS, LIES, Mutation
from fuzz.seeds import all_seeds

_HEADER = 2048
_MOST_BYTES = 1 << 24
_BOMBS_PER_INPUT = 0.005  # they are slow, and all alike
_UNCHANGED_PER_INPUT = 0.02


@dataclass(frozen=True, slots=True)
class Input:
    """A broken file.

    Attributes:
        data: its bytes.
        recipe: the seed number, the count, the intact file and what was done to it.
    """

    data: bytes
    recipe: str


def make_input(seed: int, index: int) -> Input:
    """Make one input. It depends on the two numbers and on the intact files alone."""
    random = Random(f"{seed} {index}")  # noqa: S311  # to be repeated, not to be secret
    start = random.choice(all_seeds())
    data, steps = start.data, []
    for kinds in _plan(random):
        data, step = _mutated(data, kinds, random)
        steps.append(step)
    return Input(data, f"seed {seed}, index {index}: {start.name}: {', '.join(steps) or 'unchanged'}")


def flip_bits(data: bytes, random: Random) -> bytes:
    """Flip up to 64 bits, half of the times in the header only."""
    changed = bytearray(data)
    reach = _reach(data, random)
    for _ in range(random.choice((1, 1, 2, 4, 16, 64)) if reach else 0):
        changed[random.randrange(reach)] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_number(data: bytes, random: Random) -> bytes:
    """Write a number that is often an edge, in either byte order."""
    if not data:
        return data
    at = random.randrange(_reach(data, random))
    form = random.choice(("<H", ">H", "<I", ">I"))
    new = struct.pack(form, random.choice(LENGTHS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    return data[:at] + new + data[at + len(new) :]


def truncate(data: bytes, random: Random) -> bytes:
    """Cut the file off."""
    return data[: random.randrange(_reach(data, random) + 1)]


def splice(data: bytes, random: Random) -> bytes:
    """Continue with the end of another file."""
    other = random.choice(all_seeds()).data
    return data[: random.randrange(_reach(data, random) + 1)] + other[random.randrange(_reach(other, random) + 1) :]


def duplicate(data: bytes, random: Random) -> bytes:
    """Repeat a part, once or many times."""
    start, end = _part(data, random)
    return data[:end] + data[start:end] * random.choice((1, 1, 3, 100)) + data[end:]


def remove(data: bytes, random: Random) -> bytes:
    """Leave a part out."""
    start, end = _part(data, random)
    return data[:start] + data[end:]


def insert(data: bytes, random: Random) -> bytes:
    """Put zeros, ones or noise in between."""
    at, size = random.randrange(_reach(data, random) + 1), random.choice((1, 2, 8, 100, 5000))
    return data[:at] + random.choice((bytes(size), b"\xff" * size, random.randbytes(size))) + data[at:]


_GENERIC: Sequence[Mutation] = (flip_bits, flip_bits, set_number, truncate, splice, duplicate, remove, insert)


def _plan(random: Random) -> list[Sequence[Mutation]]:
    """Choose what each step may be: nothing, a bomb, or one to three mutations, of which half are lies."""
    if random.random() < _UNCHANGED_PER_INPUT:
        return []
    if random.random() < _BOMBS_PER_INPUT:
        return [[deflated_bomb]]
    return [random.choice((LIES, _GENERIC)) for _ in range(random.choice((1, 1, 1, 2, 3)))]


def _mutated(data: bytes, kinds: Sequence[Mutation], random: Random) -> tuple[bytes, str]:
    """Apply the first of the shuffled mutations that finds something to change; return its name too."""
    for mutate in [*random.sample(kinds, len(kinds)), flip_bits]:
        changed = mutate(data, random)
        if changed is not None:
            return changed[:_MOST_BYTES], mutate.__name__
    return data, "nothing"


def _reach(data: bytes, random: Random) -> int:
    """Choose how much of the file may be hit: half of the times its header, else all of it."""
    return min(len(data), _HEADER) if random.random() < 0.5 else len(data)


def _part(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(_reach(data, random) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 64, 1000, 10000)))
