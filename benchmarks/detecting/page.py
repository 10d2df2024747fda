"""The results as a page that is read in a minute: one table each, with what was asked for beside what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from intervals import poisson_interval

Row = dict[str, Any]
PEER_NAMES = ("ADWIN", "PageHinkley", "FOCuS", "KSWIN")
MOST, UPPER = 1.0, 1.2  # false alarms over promised ones, and the upper end of their interval
MOST_EARLY = 0.1  # of the runs: those with an alarm before counting began cannot be judged
COVERAGE = (0.85, 0.95)

PROMISE_NOTE = f"""\
Baselines are learnt from 300 or 1,000 ticks. First alarms of independent runs over the ticks that they were watched,
with exact 95% intervals; counted from 100 effective ticks on and, with a cycle, two periods. In italics: margin 0
where nothing is promised with it. e: share of runs that alarmed before counting began, when nothing is
promised yet; they are left out. Asked: at most {MOST:g}, upper limit
{UPPER:g}; at 2e7, where few alarms are due, a lower limit of at
most {MOST:g}. The peers are set to one alarm in 10,000 ticks on normal values with a baseline of 1,000 ticks; KSWIN and
FOCuS are slow and have few runs. In the figure upper limits rise to the right, where few alarms are due.
"""
DELAY_NOTE = """\
Two numbers in a cell: the change comes at once after the learning / after 1,000 more healthy ticks. Runs with an alarm
before it are left out; *false before* is their share at 1e4, for the later change. At most .1 is promised: with
significantly more, a delay means nothing (*promise broken*). Changes are in standard deviations. The oracle knows the
change and the noise; for ramps it is the best CUSUM of a known size. *Information left*: of what the oracle had at its
alarm after d ticks, the share n0 / (n0 + d) that a baseline of n0 ticks leaves to anyone (1e4 / 2e7). The peers are set
to one alarm in 10,000 healthy ticks of the same noise after the same learning, and the change comes at once; at 2e7
they are left out, for they cannot be calibrated there. ADWIN looks after every value here (its default: every 32nd).
KSWIN and FOCuS are slow and have few runs.
"""


def page(found: dict[str, Any]) -> str:
    """Every section that was measured."""
    parts = [_head(found["machine"])]
    for name, section in (("promise", _promise), ("delay", _delay), ("speed", _speed), ("onset", _onset)):
        if name in found:
            parts += section(found)
    drawn = [f"![{name}](detection-{name}.svg)\n" for name in ("promise", "delay") if name in found]
    return "\n".join([*parts, *drawn])


def _head(machine: Row) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        "# Detectors: the promise, and its price\n\n"
        f"Measured by `benchmarks/detection.py` on {machine['cpu']}; Python {machine['python']}, {versions}.\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _promise(found: dict[str, Any]) -> Iterator[str]:
    rows: list[Row] = found["promise"]
    settings = [(learnt, default) for default in (False, True) for learnt in (300, 1_000)]
    words = [f"{'default margin' if default else 'margin 0'}, {learnt:,}" for learnt, default in settings]
    head = ["stream", *(f"1e4: {w}" for w in words), "2e7: alarms / promised", *PEER_NAMES, "verdict"]
    yield "## False alarms, measured / promised\n"
    yield table(head, [_kept(name, list(group), settings) for name, group in groupby(rows, lambda r: r["stream"])])
    yield _total(rows)
    yield PROMISE_NOTE


def _kept(stream: str, rows: list[Row], settings: list[tuple[int, bool]]) -> list[str]:
    ours = [r for r in rows if r["detector"] == "ours"]
    near = {(r["learnt"], r["margin"] > 0): r for r in ours if r["arl"] == 1e4}
    far = [r for r in ours if r["arl"] == 2e7 and r["asked"]]
    beside = {r["detector"]: f"{r['ratio']:.2g}" if r["ticks"] else "–" for r in rows if r["detector"] != "ours"}
    cells = [_ratio(near[setting]) for setting in settings]
    return [stream, *cells, _few(far), *(beside[name] for name in PEER_NAMES), _verdict_kept([*near.values()], far)]


def _ratio(row: Row) -> str:
    if not row["ticks"]:
        return "–"
    early = f" e {row['early']:.0%}" if row["early"] >= 0.005 else ""
    text = f"{row['ratio']:.2f} ({row['low']:.2f}–{row['high']:.2f}){early}"
    return text if row["asked"] else f"*{text}*"


def _pooled(rows: list[Row]) -> tuple[int, float, float, float]:
    """Alarms, promised alarms, and the limits of their quotient."""
    alarms, due = sum(r["alarms"] for r in rows), sum(r["ticks"] / r["arl"] for r in rows)
    low, high = poisson_interval(alarms) / max(due, 1e-9)
    return alarms, due, float(low), float(high)


def _few(rows: list[Row]) -> str:
    alarms, due, _, high = _pooled(rows)
    return f"{alarms} / {due:.2f} (≤ {high:.2g})"


def _total(rows: list[Row]) -> str:
    far = [r for r in rows if r["detector"] == "ours" and r["arl"] == 2e7 and r["asked"]]
    alarms, due, low, high = _pooled(far)
    return f"At 2e7 over all streams: {alarms} alarms where {due:.1f} were promised ({low:.2g}–{high:.2g} times).\n"


def _verdict_kept(near: list[Row], far: list[Row]) -> str:
    asked = [r for r in near if r["asked"]]
    if not all(r["ticks"] for r in asked):
        return "missed: nothing to count"
    worst = max(asked, key=lambda r: max(r["ratio"] / MOST, r["high"] / UPPER))
    if worst["ratio"] > MOST or worst["high"] > UPPER:
        return f"missed: {worst['ratio']:.2f}, upper {worst['high']:.2f}"
    over = [r for r in far if _pooled([r])[2] > MOST]
    early = max(r["early"] for r in asked)
    met = "met" if early <= MOST_EARLY else f"met; {early:.0%} alarmed before it counts"
    return f"missed at 2e7: {_few(over)}" if over else met


def _delay(found: dict[str, Any]) -> Iterator[str]:
    rows: list[Row] = found["delay"]
    head = ["baseline", "margin", "change"]
    for arl in ("1e4", "2e7"):
        head += [f"{arl}: oracle", "ours", "times", "asked"]
    head += ["information left", "false before", *PEER_NAMES, "verdict"]
    cases = groupby(rows, lambda r: (r["baseline"], r["margin"], r["change"]))
    yield "## Delay: median ticks from the change to the alarm\n"
    yield table(head, [_case(list(group)) for _, group in cases])
    simulated = [r["run_length"] for r in found["oracle"]]
    yield (
        "The oracles' thresholds are computed (Brook & Evans). Where that is one alarm in 10,000 ticks, they alarm "
        f"once in {min(simulated):,.0f} to {max(simulated):,.0f} in simulation.\n"
    )
    yield DELAY_NOTE


def _case(rows: list[Row]) -> list[str]:
    first = rows[0]
    cells = [first["baseline"], f"{first['margin']:.2g}", first["change"]]
    for arl in (1e4, 2e7):
        at = sorted((r for r in rows if r["arl"] == arl), key=lambda r: r["place"])
        cells += [
            " / ".join(_ticks(r["oracle"]) for r in at),
            " / ".join(_ticks(r["ours"]) for r in at),
            " / ".join(_times(r) for r in at),
            _asked(at[0]),
        ]
    left = {r["arl"]: r["information"] for r in rows if r["place"] == 0}
    before = next(r for r in rows if r["arl"] == 1e4 and r["place"])
    beside: dict[str, float | None] = next((r["peers"] for r in rows if r["peers"]), {})
    peers = [_ticks(beside[name]) if name in beside else "" for name in PEER_NAMES]
    return [
        *cells,
        f"{left[1e4]:.2f} / {left[2e7]:.2f}",
        f"{before['before'] / before['runs']:.3f}",
        *peers,
        _verdict_delay(rows),
    ]


def _ticks(delay: float | None) -> str:
    return "never" if delay is None else f"{delay:.0f}"


def _times(row: Row) -> str:
    return "–" if row["ours"] is None or row["oracle"] is None else f"{row['ours'] / row['oracle']:.2f}"


def _asked(row: Row) -> str:
    if row["allowed"] is None:
        return ""
    extra = row["allowed"] - row["oracle"]
    return "+1 tick" if abs(extra - 1.0) < 1e-9 else f"{row['allowed'] / row['oracle']:.2f}"


def _verdict_delay(rows: list[Row]) -> str:
    asked = [r for r in rows if r["allowed"] is not None]
    if not asked:
        return ""
    if any(poisson_interval(r["before"])[0] > r["promised"] for r in rows):
        return "promise broken"
    if any(r["ours"] is None for r in asked):
        return "missed: never"
    over = max(r["ours"] / r["allowed"] for r in asked)
    return "met" if over <= 1.0 else f"missed by {over - 1.0:.0%}"


def _speed(found: dict[str, Any]) -> Iterator[str]:
    rows: list[Row] = found["speed"]
    yield "## Speed: microseconds of one core\n"
    yield table(("detector", "us", "for one", "asked", "verdict"), [_cost(r) for r in rows])


def _cost(row: Row) -> list[str]:
    allowed = row["allowed"]
    cells = [row["what"], f"{row['us']:.3g}", row["per"], "" if allowed is None else f"{allowed:g}"]
    if allowed is None:
        return [*cells, ""]
    return [*cells, "met" if row["us"] <= allowed else f"missed: {row['us'] / allowed:.1f} times"]


def _onset(found: dict[str, Any]) -> Iterator[str]:
    rows: list[Row] = found["onset"]
    head = ("baseline", "change", "promised", "healthy ticks before", "alarms", "median error", "coverage", "verdict")
    yield "## Change time, as estimated at the alarm\n"
    yield table(head, [_estimate(r) for r in rows])
    yield f"Error in ticks; coverage of the 90% interval, asked: {COVERAGE[0]:g} to {COVERAGE[1]:g}.\n"


def _estimate(row: Row) -> list[str]:
    promised, place, alarms = f"{row['arl']:.0e}".replace("e+0", "e"), f"{row['place']:,}", str(row["alarms"])
    cells = [row["baseline"], row["change"], promised, place, alarms]
    if row["coverage"] is None:
        return [*cells, "", "", "no alarms"]
    low, high = COVERAGE
    off = max(low - row["coverage"], row["coverage"] - high)
    return [*cells, f"{row['error']:g}", f"{row['coverage']:.2f}", "met" if off <= 0 else f"missed by {off:.2f}"]
