"""How pictures look, and how they become SVG: altair describes them and vl-convert draws them, without a script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from driftwatch._optional import load

INK, MUTED, GRID = "#1f2430", "#646b78", "#e3e6eb"
BAND, ONSET = "#fbe3b6", "#9a4a06"
SIGNAL, SUPPORTED, CONSISTENT, OTHER, GOOD = "#b4232a", "#1d4ed8", "#5f7fc4", "#8b929e", "#19703a"
"""Colours; ``templates/style.css`` gives each its counterpart on a dark background."""

_STYLE = {
    "aria": False,
    "background": "transparent",
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), GRID),
        **{"labelFont": "sans-serif", "labelFontSize": 11, "labelColor": MUTED},
        **{"titleFont": "sans-serif", "titleFontSize": 11, "titleFontWeight": "normal", "titleColor": MUTED},
    },
    "title": {"font": "sans-serif", "fontSize": 12, "fontWeight": 600, "color": INK},
}
_TAG = re.compile(r"<[^>]*>")
_EMPTY = re.compile(r'<path class="(?:back|fore)ground"[^>]*/>')
_NEEDLESS = re.compile(r' (?:class|role|aria-[a-z]+|pointer-events)="[^"]*"| opacity="1"| font-family="sans-serif"')
_LONG = re.compile(r"(\.\d)\d+")
_DOT = re.compile(r'<path transform="translate\(([\d.-]+),([\d.-]+)\)" d="M([\d.]+),0A[^"]*"')
_WITHIN = re.compile(r'xlink:href="[^"#]*#')

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What altair is told, and apart from it the points, since altair copies and checks what it is given.

    Parameters
    ----------
    rows
        Altair charts whose data are named, drawn below each other.
    points
        Rows by name of the data.
    """

    rows: tuple[Any, ...]
    points: dict[str, Rows] = field(default_factory=dict)

    def specification(self) -> dict[str, Any]:
        """The same for Vega-Lite. Rows are put together here, because altair would copy each of them many times."""
        parts = [row.to_dict(validate=False) for row in self.rows]
        datasets = self.points | {k: v for part in parts for k, v in part.pop("datasets", {}).items()}
        body = parts[0] if len(parts) == 1 else {"vconcat": parts, "spacing": 34, "bounds": "flush"}
        return body | {"datasets": datasets, "config": _STYLE}

    def svg(self) -> str:
        """An ``<svg>`` element without a script, an outside reference or a font of its own."""
        version = ".".join(load("altair", "report").SCHEMA_VERSION.lstrip("v").split(".")[:2])
        drawn = load("vl_convert", "report").vegalite_to_svg(self.specification(), vl_version=version)
        return _slim(str(drawn))


def empty(words: str) -> Drawing:
    """Words where there is nothing to draw."""
    alt = load("altair", "report")
    return Drawing((alt.Chart(alt.NamedData("none")).mark_point().properties(title=words),), {"none": []})


def together(drawings: Sequence[Drawing]) -> Any:
    """One altair chart that shows all of them below each other, points included."""
    parts: list[Any] = []
    points: dict[str, Rows] = {}
    for n, drawing in enumerate(drawings):
        specification = drawing.specification()
        points |= {f"{n} {name}": rows for name, rows in specification.pop("datasets").items()}
        parts.append(_renamed(specification, f"{n} "))
    whole = {"vconcat": parts, "datasets": points, "config": _STYLE | {"background": "white"}, "spacing": 40}
    return load("altair", "report").VConcatChart.from_dict(whole, validate=False)


def _renamed(part: Any, prefix: str) -> Any:
    """The same specification, the names of its data begun with a prefix; schema and settings of its own left out."""
    if isinstance(part, list):
        return [_renamed(each, prefix) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {k: _renamed(v, prefix) for k, v in part.items() if k not in ("$schema", "config", "data")}
    named = isinstance(part.get("data"), dict) and "name" in part["data"] and "values" not in part["data"]
    data = {"name": prefix + part["data"]["name"]} if named else part.get("data")
    return kept | ({"data": data} if data is not None else {})


def _slim(svg: str) -> str:
    """A third of the size: what nobody sees is left out, coordinates are rounded, text is left alone."""
    whole = _DOT.sub(r'<circle cx="\1" cy="\2" r="\3"', _EMPTY.sub("", svg))
    return _TAG.sub(lambda tag: _shorter(tag[0]), whole).replace("<svg ", '<svg font-family="sans-serif" ', 1)


def _shorter(tag: str) -> str:
    tag = _WITHIN.sub('href="#', _NEEDLESS.sub("", tag))
    tag = tag.replace(' stroke-width="2"', "") if tag.startswith("<circle") and "stroke=" not in tag else tag
    return tag if "xmlns" in tag else _LONG.sub(r"\1", tag)
