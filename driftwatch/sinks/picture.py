"""The chart of an incident as a PNG, for destinations that show one."""

from __future__ import annotations

import logging

from driftwatch._optional import load
from driftwatch.errors import MissingExtra
from driftwatch.explain import chart
from driftwatch.incidents.models import Incident

_LOG = logging.getLogger("driftwatch.sinks")
_WIDTH, _SCALE = 480, 2  # of the plot area, in pixels: for a phone
_ROWS = 2


def picture(incident: Incident) -> bytes:
    """A PNG on white, or nothing where there is nothing to draw or nobody to draw it (extra ``report``)."""
    try:
        svg = chart.figure(_essence(incident), _WIDTH)
        if not svg:
            return b""
        white = svg.replace(">", '><rect width="100%" height="100%" fill="white"/>', 1)
        return bytes(load("vl_convert", "report").svg_to_png(white, scale=_SCALE))
    except MissingExtra as error:
        _LOG.info("no picture: %s", error)
        return b""


def _essence(incident: Incident) -> Incident:
    """The signals and the causes that come first: more is not read on a phone."""
    if incident.chart is None:
        return incident
    signals = [line for line in incident.chart.lines if line.role == "signal"]
    signals.sort(key=lambda line: not line.expected)  # a value beside what was expected says more than a share
    others = [line for line in incident.chart.lines if line.role != "signal"]
    chosen = (*signals[:_ROWS], *others[:_ROWS])
    return incident.model_copy(update={"chart": incident.chart.model_copy(update={"lines": chosen})})


def described(incident: Incident) -> str:
    """The same in words, for those who cannot see it."""
    return chart.described(incident)
