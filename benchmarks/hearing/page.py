"""The page of results, from the caches."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hearing.cases import MINORITIES, SHARES, SWAPS, cases
from hearing.measuring import lines
from hearing.summary import ARL, Told, by_case, found_share, healthy_rate, median_delay, ours, rivals

_OF_THE_CLAIM = 10
_ABOUT = 1.0


def results(cache: Path) -> dict[str, Any]:
    """All numbers of the page but speed."""
    told = {"alibi": _others(cache), "ours": _ours(cache / "ours.jsonl")}
    level = _level(told["ours"])
    mine = {how: found for (how, at), found in _keyed(told["ours"]).items() if at == level}
    return {
        "level": level,
        "promise": [
            {"given": how, "level": at, **healthy_rate(found)} for (how, at), found in _keyed(told["ours"]).items()
        ]
        + [{"given": name, "level": 0.0, **healthy_rate(found)} for name, found in told["alibi"].items()],
        "swaps": [_swap(a, b, mine, told["alibi"]) for a, b in SWAPS],
        "minorities": [
            {"from": a, "to": b, "share": share, "none": _found(("null", a, a, ""), mine, told["alibi"])["text"]}
            | _found(("minority", a, b, f"{share:g}"), mine, told["alibi"])
            for a, b in MINORITIES
            for share in SHARES
        ],
        "topics": _topics(_keyed(told["ours"]), told["alibi"]),
        "topic_answers": int(sum(case.changed.sum() for case in cases() if case.kind == "topic")),
        "win_rates": win_rates(),
    }


def _others(cache: Path) -> dict[str, Any]:
    return rivals(cache / "alibi.jsonl") | rivals(cache / "evidently.jsonl")


def _ours(cache: Path) -> dict[str, dict[str, Told]]:
    every = dict.fromkeys((line["how"], line["level"]) for line in lines(cache))
    return {f"{how}|{level:g}": ours(cache, how, level) for how, level in every}


def _keyed(found: Mapping[str, Mapping[str, Told]]) -> dict[tuple[str, float], Mapping[str, Told]]:
    return {(key.split("|")[0], float(key.split("|")[1])): told for key, told in found.items()}


def _level(found: Mapping[str, Mapping[str, Told]]) -> float:
    """The least of our levels at which healthy streams show about the wanted run length."""
    for (how, level), told in sorted(_keyed(found).items(), key=lambda item: item[0][1]):
        rate = healthy_rate(told)
        if how == "text" and rate["answers"] / max(rate["alarms"], 1) >= _ABOUT * ARL:
            return level
    return max(level for _, level in _keyed(found))


def _swap(a: str, b: str, mine: Mapping[str, Mapping[str, Told]], alibi: Mapping[str, Any]) -> dict[str, Any]:
    return {"from": a, "to": b, **_found(("swap", a, b, ""), mine, alibi)}


def _found(key: tuple[str, ...], mine: Mapping[str, Mapping[str, Told]], others: Mapping[str, Any]) -> dict[str, Any]:
    """Medians and shares of one case, ours by what is given, and the best of alibi-detect's and of evidently's."""
    own = {how: by_case(told).get(key, []) for how, told in mine.items()}
    return {
        **{how: {"delay": median_delay(some), "found": found_share(some), "n": len(some)} for how, some in own.items()},
        **{who: _best(who, key, others) for who in ("alibi", "evidently")},
    }


def _best(who: str, key: tuple[str, ...], others: Mapping[str, Any]) -> dict[str, Any]:
    """The shortest median delay of the detectors of one package, and the largest share that one of them found."""
    theirs = {name: by_case(told).get(key, []) for name, told in others.items() if name.startswith(who)}
    medians = {name: median_delay(some) for name, some in theirs.items() if some}
    known = {name: delay for name, delay in medians.items() if delay is not None}
    best = min(known, key=known.__getitem__) if known else None
    return {
        "delay": known[best] if best else None,
        "which": best or "",
        "found": max((found_share(some) for some in theirs.values() if some), default=0.0),
        "n": max((len(some) for some in theirs.values()), default=0),
    }


def _topics(mine: Mapping[tuple[str, float], Mapping[str, Told]], alibi: Mapping[str, Any]) -> list[dict[str, Any]]:
    named = {f"driftwatch, {how}, level {level:g}": told for (how, level), told in mine.items()} | dict(alibi)
    rows = []
    for name, told in named.items():
        some = [one for key, one in told.items() if key.startswith("topic")]
        if some:
            rows.append({"detector": name, "streams": len(some), "alarms": sum(one.after is not None for one in some)})
    return rows


def win_rates() -> dict[str, float]:
    """Published win rates, length-controlled, in percent."""
    folder = Path(os.environ.get("DRIFTWATCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
    with (folder / "model_answers" / "win_rates.csv").open(encoding="utf-8") as file:
        return {row["model"]: float(row["length_controlled_winrate"]) for row in csv.DictReader(file)}


def page(found: Mapping[str, Any]) -> str:
    """The results as markdown."""
    return "\n".join(
        [*_intro(found), *_swaps(found), *_topic_table(found), *_minority_table(found), *_speed(found), ""]
    )


def _intro(found: Mapping[str, Any]) -> Iterable[str]:
    yield "# What is heard in the answers of real models"
    yield ""
    yield "Answers of 24 models to 805 prompts (AlpacaEval), halved by a hash of the prompt. Constants were looked"
    yield "at on answers to one half, the development half; here answers to the other half are judged. Of each split"
    yield "400 prompts of the development half are learnt from, 100 of the score half follow, then the change, and 303"
    yield "more: no prompt twice. The models are the same in both halves, and before the halves were made (until"
    yield "commit 6285d9b) phrases, marks and look-backs had been chosen while looking at all prompts."
    yield "All detectors are given the same MiniLM vectors; driftwatch is also given the text beside them (`text`),"
    yield "the text alone (`hashing`), or nothing but vectors (`vectors`). It runs as a whole engine, an answer a tick."
    yield "Delays are answers from the change to when it was told, medians over splits; a dash: not within the stream."
    yield "The others' splits are deals of all prompts (nothing of them was chosen here), as long."
    yield ""
    yield "## The promise, and equal run lengths"
    yield ""
    yield f"All are compared at a measured run length of about {ARL:,.0f} answers: alibi-detect's thresholds"
    yield "are scaled to it (set up for 200, 1,000 bootstraps), and driftwatch's budget is set to one false"
    yield f"alarm in {found['level']:g} answers, all of its tests together, for it keeps what it promises with"
    yield "room to spare. Streams end after 403 answers, and their splits deal the same answers anew: measured run"
    yield "lengths are rough."
    yield ""
    yield from _table(
        ("detector", "promised", "streams", "answers", "false alarms"),
        (
            (_name(r), f"{r['level']:g}" if r["level"] else "scaled", r["streams"], f"{r['answers']:,}", r["alarms"])
            for r in found["promise"]
            if r["streams"]
        ),
    )


def _name(row: Mapping[str, Any]) -> str:
    return f"driftwatch, {row['given']}" if row["level"] else str(row["given"])


def _swaps(found: Mapping[str, Any]) -> Iterable[str]:
    rates = found["win_rates"]
    rows = [_swap_row(row, rates) for row in found["swaps"]]
    won = [half(row) for row in found["swaps"]]
    n = {who: found["swaps"][0][who]["n"] for who in ("text", "hashing", "vectors", "alibi", "evidently")}
    yield "## A silent swap"
    yield ""
    yield "Found within 303 answers, and in at most half of the time of alibi-detect's best:"
    yield f"**{sum(won[:_OF_THE_CLAIM])} of the {_OF_THE_CLAIM} pairs of the claim** (it asks for 8), and {sum(won)} of"
    yield f"all {len(won)}. What nobody finds counts as not found. `found`: share of splits in which text was enough;"
    yield f"win rates are published ones (length-controlled). Splits: {n['text']} with text, {n['hashing']} hashing,"
    yield f"{n['vectors']} vectors, {n['alibi']} alibi-detect (MMD and LSDD, windows of 25 and 50), {n['evidently']}"
    yield "evidently (MMD and classifier, windows of 50 and 100)."
    yield ""
    header = ("swap", "win rate", "text", "found", "hashing", "vectors", "alibi-detect", "evidently", "at most half")
    yield from _table(header, rows)


def half(row: Mapping[str, Any]) -> bool:
    """Whether we found it in at most half of the time that the best rival took."""
    own, theirs = row["text"]["delay"], row["alibi"]["delay"]
    return own is not None and (theirs is None or own <= theirs / 2)


def _swap_row(row: Mapping[str, Any], rates: Mapping[str, float]) -> Sequence[Any]:
    a, b = row["from"], row["to"]
    delays = [_delay(row.get(how, {}).get("delay")) for how in ("text", "hashing", "vectors")]
    theirs = [f"{_delay(row[w]['delay'])} {row[w]['which'].removeprefix(w)}".strip() for w in ("alibi", "evidently")]
    found = f"{row['text']['found']:.0%} of {row['text']['n']}"
    win = f"{rates[a]:.0f} -> {rates[b]:.0f}"
    return (f"{a} -> {b}", win, delays[0], found, *delays[1:], *theirs, "yes" if half(row) else "no")


def _delay(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _topic_table(found: Mapping[str, Any]) -> Iterable[str]:
    yield "## The same model, new topics"
    yield ""
    yield "One of the five sources of prompts is held out and comes as the new topic. An alarm is a change or a"
    yield "degradation since then; driftwatch's `workload` incidents are none. The prompts are all 805, the models"
    yield "others than those looked at in development. At that run length, about"
    yield f"{found['topic_answers'] / ARL:.1f} of driftwatch's streams would alarm by chance, with no new topic at all."
    yield ""
    rows = ((r["detector"], r["streams"], r["alarms"], f"{r['alarms'] / r['streams']:.0%}") for r in found["topics"])
    yield from _table(("detector", "streams", "alarms", "rate"), rows)


def _minority_table(found: Mapping[str, Any]) -> Iterable[str]:
    yield "## A minority from a weaker model"
    yield ""
    yield "Share of splits in which it is found within 303 answers (of which 15, 30 or 61 are the other"
    yield "model's), and median delay. Within 100 answers of the development half no statistic told 20% from none."
    yield ""
    rows = (
        (
            f"{r['from']} -> {r['to']}",
            f"{r['share']:.0%}",
            f"{r['text']['found']:.0%} of {r['text']['n']}",
            f"{r['none']['found']:.0%}",
            _delay(r["text"]["delay"]),
            f"{r['alibi']['found']:.0%} of {r['alibi']['n']}",
        )
        for r in found["minorities"]
    )
    yield from _table(("from -> to", "share", "found", "alarms without any", "delay", "alibi-detect's best"), rows)


def _speed(found: Mapping[str, Any]) -> Iterable[str]:
    speed = found["speed"]
    yield "## Speed and memory"
    yield ""
    rows = [(f"features of {speed['words']:.0f} words", f"{speed['features']:,.0f}/s")]
    rows += [("hashing vectors of them", f"{speed['hashing']:,.0f}/s")]
    rows += [(name, f"{value:,.0f}/s") for name, value in speed.items() if name.startswith("vectors")]
    rows += [("memory of a stream with vectors of 384", f"{speed['memory_mb']:.1f} MB")]
    yield from _table(("what, on one core (CPU time)", ""), rows)
    yield str(found["machine"])


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[str]:
    cells = [header, ["---"] * len(header), *rows]
    yield from (f"| {' | '.join(map(str, row))} |" for row in cells)
    yield ""
