"""How pictures look, and how they become SVG: altair describes them and vl-convert draws them, without a script."""

from __future__ import annotations

from typing import Any

from driftwatch._optional import load

INK, MUTED, GRID = "#1f2430", "#646b78", "#e3e6eb"
"""Colours of ``templates/style.css``, which gives each its counterpart on a dark background."""

_STYLE = {
    "background": "transparent",
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), GRID),
        **{"labelFont": "sans-serif", "labelFontSize": 11, "labelColor": MUTED},
    },
    "title": {"font": "sans-serif", "fontSize": 12, "fontWeight": 600, "color": INK},
}


def svg(alt: Any, drawing: Any, points: dict[str, list[dict[str, Any]]]) -> str:
    """Draw; points and styles join at the end, because altair copies and checks what it is given again and again."""
    specification = drawing.to_dict(validate=False) | {"config": _STYLE}
    specification["datasets"] = points | specification.get("datasets", {})
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(load("vl_convert", "report").vegalite_to_svg(specification, vl_version=version))
