"""What was found, as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]


def page(found: Row) -> str:
    """Everything on one page."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return "\n".join(
        [
            "# Which cause is named\n",
            f"Made by `benchmarks/attribution.py`: {found['incidents']} simulated incidents ({found['which']} seeds), "
            f"{found['measured']} whose cause is among the series and {found['hidden']} whose cause is not, each "
            "beside forty series that have nothing to do with it and are offered as mechanisms, with metrics every 5, "
            "15 or 30 s, and with a daily load, a new mix of traffic or a harmless roll-out in every other one. "
            "Causes and shares are asked for given the onset. "
            f"Measured on {machine['cpu']}; Python {machine['python']}, {versions}.\n",
            "## Asked\n",
            _markdown(("", "asked", "found", "verdict"), _asked(found)),
            "## By scenario\n",
            _markdown(_HEAD, (_scenario(*item) for item in found["by_scenario"].items())),
            "## An onset that is wrong\n",
            _markdown(("onset off by", "first cause right", "abstained", "wrong"), _errors(found)),
            "## Others\n",
            "Right cause first, of incidents whose cause is measured, with the true onset and the same series. Others "
            "never abstain and claim something of every incident whose cause is hidden; beside them the order in "
            "which driftwatch names causes, whatever it is sure of.\n",
            _markdown(("", "all series", "without symptoms"), _others(found)),
            _LEGEND,
        ]
    )


_HEAD = ("scenario", "measured", "right", "abstained", "wrong", "named first", "hidden", "false claims")
_LEGEND = """- **right**, **abstained**, **wrong**: the first cause is *supported* and right, is not
  *supported* (nothing is claimed then), or is *supported* and is not a right one.
- **named first**: a right cause is first in order, whatever its tier.
- **hidden**: incidents whose cause is not among the series: a scenario in which nobody measures it, or one whose cause
  and chain were taken out of the recording.
- **false claims**: anything at all is *supported* that is neither a right cause nor part of the chain from it to the
  signal.
- **ranges of shares**: the range that is printed beside a right cause, against a rerun of the same seed without the
  fault.

Intervals are exact ones of 95%.
"""


def _asked(found: Row) -> Iterable[Sequence[str]]:
    exact, shares, cpu = found["first"]["0.0"], found["shares"], found["cpu"]
    right, false = exact["right"], found["false"]
    yield "first cause right, where a cause is measured", "≥ 95%", _shown(right), _verdict(right["share"] >= 0.95)
    yield "abstained there", "–", _shown(exact["abstained"]), "–"
    yield "right of what is claimed there", "–", _shown(exact["right_of_claims"]), "–"
    met = false["share"] <= 0.03 and false["interval"][1] <= 0.05
    yield "incidents with a false claim", "≤ 3%, upper limit ≤ 5%", _shown(false), _verdict(met)
    yield "the same, of those whose cause is hidden", "–", _shown(found["false_hidden"]), "–"
    covered, width = shares["covered"], shares["width"]
    yield "ranges of shares that hold the true one", "≥ 90%", _shown(covered), _verdict((covered["share"] or 0) >= 0.9)
    yield "their mean width", "≤ .5", f"{width:.2f}", _verdict(width <= 0.5)
    lost = right["share"] - min(each["right"]["share"] for each in found["first"].values())
    yield (
        "cost of an onset that is 60 s early to 120 s late",
        "≤ 5 points",
        f"{100 * lost:.1f} points",
        _verdict(lost <= 0.05),
    )
    low, middle, most = cpu["candidates"]
    yield (
        "CPU seconds of a record",
        "≤ .2 with 50 candidates",
        f"{cpu['median']:.2f} (worst {cpu['worst']:.2f}; {low} to {most} candidates, median {middle})",
        _verdict(cpu["median"] <= 0.2),
    )


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _scenario(name: str, row: Row) -> Sequence[str]:
    known = row["measured"]
    parts = [_plain(known[each]) for each in ("right", "abstained", "wrong", "first_of_all")] if known else ["–"] * 4
    return f"{row['title']} (`{name}`)", str(row["cases"]), *parts, str(row["hidden"]), _plain(row["false"])


def _errors(found: Row) -> Iterable[Sequence[str]]:
    for error, each in found["first"].items():
        yield f"{float(error):+.0f} s", *(_shown(each[name]) for name in ("right", "abstained", "wrong"))


def _others(found: Row) -> Iterable[Sequence[str]]:
    yield "driftwatch, in its order", _shown(found["first"]["0.0"]["first_of_all"]), "–"
    yield "driftwatch, only what is supported", _shown(found["first"]["0.0"]["right"]), "–"
    for name, each in found["rivals"].items():
        yield name, _shown(each["all"]), _shown(each["with roles"])


def _plain(share: Row) -> str:
    return "–" if share["share"] is None else f"{share['share']:.0%}"


def _shown(share: Row) -> str:
    low, high = share["interval"]
    return f"{_plain(share)} ({low:.1%}–{high:.1%}; {share['count']} of {share['of']})"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
