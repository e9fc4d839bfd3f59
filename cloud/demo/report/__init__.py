"""The report of a finished demo: result in, one HTML file out."""

from cloud.demo.report.page import render

__all__ = ["render"]
