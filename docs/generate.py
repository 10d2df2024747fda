"""Write the pages that the code itself knows best; a test says when they are out of date.

Run it as ``python docs/generate.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from driftwatch import Config, Incident
from driftwatch._settings import Setting, settings
from driftwatch.explain.numbers import lasting, number
from driftwatch.price import Price, delays
from driftwatch.price.noise import BETWEEN, BY_REQUEST, MEMORY, SHARES, TYPICAL_LEARNT
from driftwatch.simulate import CONFOUNDERS, CONTROLS, SCENARIOS
from driftwatch.simulate.scenario import Scenario
from driftwatch.simulate.severity import RELATIVE, SPOILT
from driftwatch.simulate.summary import SIGNALS
from driftwatch.sinks.schema import webhook_schema

DOCS = Path(__file__).parent

HEAD = """# Configuration

One TOML file, given as `--config driftwatch.toml` or `config="driftwatch.toml"`; in Python a mapping of the same shape
does as well. Every key has a default, so an empty file is valid; an unknown key is an error. `driftwatch config` prints
all of this as a commented TOML file. This page is made from the code by `docs/generate.py`: do not edit it.
"""


def configuration() -> str:
    """All keys, a table for each section."""
    sections = groupby(settings(), key=lambda s: (s.table, s.meaning_of_table))
    return HEAD + "".join(section(table, about, rows) for (table, about), rows in sections)


def section(table: str, about: str, rows: Iterable[Setting]) -> str:
    """One section: its name, what it is about, its keys."""
    head = f"\n## `{table}`\n\n{about}\n\n| key | default | unit | meaning |\n|---|---|---|---|\n"
    return head + "".join(f"| `{s.key}` | {default(s)} | {s.unit} | {meaning(s)} |\n" for s in rows)


def default(setting: Setting) -> str:
    """The default as code, or that there is none."""
    return f"`{setting.default}`" if setting.default else "must be given"


def meaning(setting: Setting) -> str:
    """The meaning, with the allowed words."""
    allowed = f" One of {', '.join(f'`{choice}`' for choice in setting.choices)}." if setting.choices else ""
    return setting.meaning + allowed


def schema() -> str:
    """The JSON schema of an incident."""
    return json.dumps(Incident.model_json_schema(), indent=2) + "\n"


def webhook() -> str:
    """The JSON schema of a webhook's body."""
    return json.dumps(webhook_schema(), indent=2) + "\n"


RATES = (0.1, 1.0, 10.0)


def budget() -> str:
    """The page on the budget, its numbers made anew: what stands between two marks is made here."""
    prices = {rate: delays(rate=rate) for rate in RATES}
    made = {
        "rule": "".join(f"- {sentence}.\n" for sentence in prices[RATES[0]].rule()[:3]),
        "assumptions": typical(),
        "delays": "\n".join(tables(rate, price) for rate, price in prices.items()),
        "learning": markdown(
            ("requests a second", "judging begins after", "the promise holds after"),
            [(f"{rate:g}", *learning(price)) for rate, price in prices.items()],
        ),
        "margins": markdown(
            ("signal", "margin"), [(f"`{name}`", f"{m:.0%}") for name, m in Config().margins.model_dump().items()]
        ),
    }
    return filled("budget.md", made)


def filled(name: str, made: Mapping[str, str]) -> str:
    """A page with what stands between its marks made anew."""
    page = (DOCS / name).read_text(encoding="utf-8")
    for part, text in made.items():
        marks = f"<!-- made: {part} -->\n", "<!-- end -->"
        before, _, rest = page.partition(marks[0])
        page = before + marks[0] + "\n" + text + "\n" + marks[1] + rest.partition(marks[1])[2]
    return page


def typical() -> str:
    """The noise that is assumed without a log."""
    shares = ", ".join(f"`{name}` {number(share, 'share')}" for name, share in SHARES.items())
    return (
        f"- requests differ by {BY_REQUEST['duration']:.0%} beyond what their workload explains (lengths by "
        f"{BY_REQUEST['size']:.0%}), which a tick's requests average out;\n"
        f"- ticks differ by {BETWEEN:.0%} more, which no traffic averages out, with an autocorrelation of {MEMORY:g};\n"
        f"- healthy shares are {shares};\n"
        f"- {TYPICAL_LEARNT} ticks were learnt from.\n"
    )


def learning(price: Price) -> tuple[str, str]:
    """After how long judging begins, and the promise holds for durations."""
    stream = price.streams[0]
    promised = max(s.promised_after_s for s in stream.signals if s.signal in ("ttft", "itl", "latency"))
    return lasting(stream.judged_after_s), lasting(promised)


def tables(rate: float, price: Price) -> str:
    """Delays at one rate: of ratios, and of shares."""
    head = f"### {rate:g} request{'s' if rate != 1 else ''} a second\n\n"
    return head + "\n".join(delay_table(*price.grid(price.streams[0], shares=shares)) for shares in (False, True))


def delay_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; signals that have the same cells share a line."""
    alike = groupby(rows, key=lambda row: row[1:])
    return markdown(header, [(", ".join(f"`{row[0]}`" for row in same), *cells) for cells, same in alike])


def simulator() -> str:
    """The page on the simulator, with its scenarios."""
    scenarios, controls = SCENARIOS.values(), CONTROLS.values()
    made = {
        "scenarios": markdown(
            ("", "scenario", "what happens", "modelled on", "users feel", "shown by"),
            [(str(s.number), f"`{s.name}`", s.title, s.source, felt(s), shown(s)) for s in scenarios],
        ),
        "controls": markdown(
            ("control", "what happens", "may be said"),
            [(f"`{s.name}`", s.title, ", ".join(s.kinds) or "nothing") for s in controls],
        ),
        "severities": markdown(
            ("severity", "the median moves by", "answers spoilt"),
            [(f"`{name}`", f"{RELATIVE[name]:.0%}", f"{SPOILT[name]:.0%}") for name in RELATIVE],
        ),
        "confounders": markdown(("`--with`", "what goes on"), [(f"`{k}`", what) for k, what in CONFOUNDERS.items()]),
    }
    return filled("simulator.md", made)


def felt(scenario: Scenario) -> str:
    """What users feel, and of whom if not of all."""
    who = ", ".join(f"{label}={value}" for label, value in scenario.who.items())
    return SIGNALS[scenario.signal] + (f" ({who})" if who else "")


def shown(scenario: Scenario) -> str:
    """What is measured of a cause, if anything."""
    if scenario.measured:
        return ", ".join(f"`{name}`" for name in scenario.causes)
    return "what users feel" if scenario.telemetry else "text only"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, ["---"] * len(header), *rows))


PAGES = {
    "budget.md": budget,
    "configuration.md": configuration,
    "incident.schema.json": schema,
    "simulator.md": simulator,
    "webhook.schema.json": webhook,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
