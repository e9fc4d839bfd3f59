"""Latencies as a picture: one bar per contender and batch size, a plain SVG that any browser shows."""

from html import escape
from typing import Final

from export.bench import Bench

WIDTH: Final = 760
LABEL: Final = 190
"""Pixels left of the bars, for names."""

BAR: Final = 16
GAP: Final = 6
TOP: Final = 54
INK: Final = "#1b1f24"
COLOURS: Final = {"eager": "#8a949e", "torch.compile": "#c58b2a"}
EXPORTED: Final = "#2f6fb2"


def plot(result: Bench) -> str:
    """Return the median latency of every row as a bar, its 99th percentile as a line, on one scale per batch size."""
    parts: list[str] = []
    y = TOP
    for batch in dict.fromkeys(row.batch for row in result.rows):
        rows = [row for row in result.rows if row.batch == batch]
        longest = max(row.timing.p99_ms for row in rows)
        parts.append(_text(8, y + 12, f"batch {batch}, milliseconds a call", bold=True))
        y += BAR + GAP
        for row in rows:
            scale = (WIDTH - LABEL - 150) / longest
            middle, late = row.timing.p50_ms * scale, row.timing.p99_ms * scale
            colour = COLOURS.get(row.name, EXPORTED)
            parts.append(_text(LABEL - 8, y + 12, row.name, end=True))
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{middle:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(
                f'<path d="M{LABEL + middle:.1f} {y + BAR / 2}H{LABEL + late:.1f}" stroke="{INK}" stroke-width="1"/>'
            )
            said = f"{row.timing.p50_ms:.2f} (p99 {row.timing.p99_ms:.2f})"
            parts.append(_text(LABEL + late + 6, y + 12, said))
            y += BAR + GAP
        y += 2 * GAP
    title = f"{result.backbone}, {result.image_size} px, {result.threads} thread(s)"
    head = [_text(8, 20, title, bold=True), _text(8, 38, result.processor)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
        f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{y}" fill="#fff"/>{"".join(head + parts)}</svg>\n'
    )


def _text(x: float, y: float, said: str, *, bold: bool = False, end: bool = False) -> str:
    style = (' font-weight="bold"' if bold else "") + (' text-anchor="end"' if end else "")
    return f'<text x="{x:.1f}" y="{y}" fill="{INK}"{style}>{escape(said)}</text>'
