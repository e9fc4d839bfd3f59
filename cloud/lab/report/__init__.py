"""The lab's reports: a run, or a comparison of methods, in; one HTML file out."""

from cloud.lab.report.compare_page import render_comparison
from cloud.lab.report.run_page import render_run

__all__ = ["render_comparison", "render_run"]
