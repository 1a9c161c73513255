"""Runs the scripts of real pages for visitors that are not browsers; the work is done by Node."""

from bluegreen_cdn.local.rehearsal.page_runner.client import PageReport, PageRunner

__all__ = ["PageReport", "PageRunner"]
