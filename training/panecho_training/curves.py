"""The curves of a run as one HTML page that needs no other file, no network and no script."""

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["render_curves"]

WIDTH, HEIGHT, MARGIN = 560, 220, 46
COLOURS = ("#1f5f99", "#c4551b")
PAIRED = ("train_loss", "val_loss")
LEFT_OUT = ("epoch", "updates", *PAIRED)

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#16202b}"
    "section{display:inline-block;margin:0 1rem 1rem 0}h2{font-size:1rem;margin:.5rem 0}"
    "svg{background:#fff;border:1px solid #d5dde5;border-radius:6px}text{font-size:11px;fill:#5d6b7a}"
)


def render_curves(name: str, history: Sequence[Mapping[str, object]]) -> str:
    """Return the page of a history: loss of training and validation, then every other number over the epochs."""
    columns = list(dict.fromkeys(column for row in history for column in row if column not in LEFT_OUT))
    charts = [_section("loss", history, [column for column in PAIRED if any(column in row for row in history)])]
    charts += [_section(column, history, [column]) for column in columns]
    title = f"{escape(name)}: {len(history)} epochs"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>{''.join(charts)}</body></html>\n"
    )


def _section(title: str, history: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    series = {column: [_number(row.get(column)) for row in history] for column in columns}
    known = [value for values in series.values() for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    parts = []
    for colour, (column, values) in zip(COLOURS, series.items(), strict=False):
        points = [
            f"{_across(epoch, len(values)):.1f},{_down((value - low) / span):.1f}"
            for epoch, value in enumerate(values)
            if math.isfinite(value)
        ]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(points)}"/>')
        parts += [
            f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="2.5" fill="{colour}"/>'
            for point in points
        ]
        place = MARGIN + 90 * (len(parts) > len(points) + 1)
        parts.append(f'<text x="{place}" y="14" style="fill:{colour}">{escape(column)}</text>')
    axis = (
        f'<text x="4" y="{_down(1) + 4:.0f}">{high:.4g}</text><text x="4" y="{_down(0) + 4:.0f}">{low:.4g}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT - 6}">epoch 1</text>'
        f'<text x="{WIDTH - 20}" y="{HEIGHT - 6}" text-anchor="end">{len(history)}</text>'
    )
    return (
        f'<section><h2>{escape(title)}</h2><svg width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(title)} over the epochs">{axis}{"".join(parts)}</svg></section>'
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _across(epoch: int, count: int) -> float:
    return MARGIN + (WIDTH - MARGIN - 20) * (epoch / max(count - 1, 1))


def _down(share: float) -> float:
    return HEIGHT - 30 - (HEIGHT - 60) * share
