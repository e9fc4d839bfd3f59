"""The verdict of a chaos run for people."""

from rich.console import RenderableType

from cloud.chaos.invariants import ChaosReport
from cloud.sheet import Sheet


def verdict_table(report: ChaosReport) -> RenderableType:
    """Show every invariant, whether it held, and by what."""
    rows = [("held" if one.held else "BROKEN", one.claim, one.detail) for one in report.invariants]
    figures = report.figures
    title = (
        f"{report.profile.name} ({report.profile.meaning}): {figures['seconds']:.0f} s"
        f" against {figures['seconds_undisturbed']:.0f} s undisturbed"
    )
    return Sheet(title=title, columns=("", "invariant", "by"), rows=rows)
