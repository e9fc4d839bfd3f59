"""Picture: GM against PM, a point a method, with its seeds around it."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.lab.report.compared import Compared, mark_notes
from cloud.lab.summary import FIGURES
from cloud.report.figure import Figure, Table
from cloud.report.frame import lines_across, lines_upright, percents
from cloud.report.marks import canvas, diamond, dot, group, label, rule
from cloud.report.placing import Box, around, placed
from cloud.report.scale import NARROW, Axis, span_ticks, widened
from cloud.words import listing, percent

COLOURS = 5
"""Of methods; each comes as a circle first, then as a diamond."""


def trade_figure(methods: Sequence[Compared]) -> Figure | None:
    """Return the picture, or None where no method measured both."""
    shown = [m for m in methods if "gm" in m.summary.figures and "pm" in m.summary.figures]
    if not shown:
        return None
    words = caption(shown)
    return Figure(
        name="trade",
        kicker="Generic against personal accuracy",
        heading=heading(shown),
        caption=words,
        legend=(),
        draw=lambda width: draw(shown, width, "Scatter plot of GM and PM per method. " + words),
        table=Table(
            headings=("method", "seed", "GM", "PM"),
            rows=tuple(
                (m.name, str(seed), percent(gm), percent(m.over_seeds(FIGURES["pm"]).get(seed)))
                for m in shown
                for seed, gm in m.over_seeds(FIGURES["gm"]).items()
            ),
        ),
    )


def heading(methods: Sequence[Compared]) -> str:
    """Say which methods no other beats in both."""
    ends = {m.name: (m.summary.figures["gm"].mean, m.summary.figures["pm"].mean) for m in methods}
    best = [
        name
        for name, (gm, pm) in ends.items()
        if not any(g >= gm and p >= pm and (g, p) != (gm, pm) for g, p in ends.values())
    ]
    if len(best) == 1:
        return f"{best[0]} is ahead of every other method in both" if len(ends) > 1 else f"{best[0]} in both figures"
    return f"No method is ahead in both: {listing(best, limit=4)} are each unbeaten in one"


def caption(methods: Sequence[Compared]) -> str:
    """Return how to read the picture."""
    several = any(len(m.runs) > 1 for m in methods)
    sentences = ["Up and to the right is better; neither axis begins at 0."]
    if several:
        sentences.append("Large marks are means; thin lines lead to the single seeds.")
    same: dict[tuple[float, float], list[str]] = {}
    for m in methods:
        same.setdefault((m.summary.figures["gm"].mean, m.summary.figures["pm"].mean), []).append(m.name)
    sentences += [f"{listing(names, limit=9)} lie at the same point." for names in same.values() if len(names) > 1]
    return " ".join([*sentences, *mark_notes(methods, generic=True, personal=True)])


def draw(methods: Sequence[Compared], width: int, alt: str) -> Element:
    """Draw the points with their seeds, and each method's name beside its mean."""
    height = 420.0 if width <= NARROW else 520.0
    gms = [value for m in methods for value in m.over_seeds(FIGURES["gm"]).values()]
    pms = [value for m in methods for value in m.over_seeds(FIGURES["pm"]).values()]
    x = _axis(gms, 52, width - 20, 5 if width > NARROW else 4)
    y = _axis(pms, height - 48, 26, 6)
    marks: list[Element] = []
    taken: list[Box] = []
    for at, method in enumerate(methods):
        gm, pm = method.summary.figures["gm"].mean, method.summary.figures["pm"].mean
        shape, style = (dot if at // COLOURS % 2 == 0 else diamond), f"method-{at % COLOURS}"
        rays, seeds = [], []
        personal = method.over_seeds(FIGURES["pm"])
        for seed, own in method.over_seeds(FIGURES["gm"]).items():
            if seed in personal and len(personal) > 1:
                rays.append(rule(x(gm), y(pm), x(own), y(personal[seed]), "ray"))
                tip = f"{method.name}, seed {seed}: GM {percent(own)}, PM {percent(personal[seed])}"
                seeds.append(shape(x(own), y(personal[seed]), 3, "mark", tip=tip))
                taken.append(around(x(own), y(personal[seed]), 4))
        tip = f"{method.name}: GM {percent(gm)}, PM {percent(pm)}"
        marks.append(
            group(style, *rays, *seeds, shape(x(gm), y(pm), 8 if shape is dot else 9, "mark outlined", tip=tip))
        )
        taken.append(around(x(gm), y(pm), 10))
    return canvas(
        width,
        height,
        alt,
        *lines_across(y, span_ticks(y.low, y.high, 6), x.start, x.end, percents),
        *lines_upright(x, span_ticks(x.low, x.high, 5 if width > NARROW else 4), y.end, y.start, percents),
        label((x.start + x.end) / 2, height - 8, "GM, generic model →", "middle soft"),
        label(x.start - 44, 12, "↑ PM, personal models", "soft"),
        *marks,
        *placed(_names(methods, x, y), taken, Box(x.start, y.end - 8, width - 2, y.start - 2), gap=12),
    )


def _names(methods: Sequence[Compared], x: Axis, y: Axis) -> list[tuple[float, float, str, str]]:
    """Return each method's name at its mean; methods at the same point share one label."""
    found: dict[tuple[float, float], list[Compared]] = {}
    for method in methods:
        figures = method.summary.figures
        found.setdefault((x(figures["gm"].mean), y(figures["pm"].mean)), []).append(method)
    return [
        (*at, " =\n".join(m.name + m.generic_mark + m.personal_mark for m in here), "strong" if here[0].first else "")
        for at, here in found.items()
    ]


def _axis(values: Sequence[float], start: float, end: float, intervals: int) -> Axis:
    low, high = widened([min(values) - 0.005, max(values) + 0.005], intervals, least=0.05)
    return Axis(max(0.0, low), min(1.0, high), start, end)
