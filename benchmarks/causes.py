"""One thing at a time about causes: ``python benchmarks/causes.py`` prints the table of docs/attribution.md.

Incidents as series by tick, from the generators of the tests: a hidden cause, a deploy, a KV cache that fills, beside
bystanders with a long memory of which half step up exactly at the onset. About a minute of CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from driftwatch.attribution.causes.find import find_causes
from driftwatch.config import Attribution
from driftwatch.incidents.models import Cause
from tests.attribution.conftest import TICK_S, Case, deploy_step, hidden_cause, kv_pressure

DURING = (24, 48, 72, 144)
"""Ticks since the onset."""
EVERY = (1, 3, 6)
"""Ticks between two scrapes."""
Causes = tuple[Cause, ...]


def main() -> None:
    """Print a row for each question."""
    hidden = [each for every in EVERY for during in DURING for each in asked(hidden_cause, during, 60, every=every)]
    print(f"a hidden cause: anything at all `supported` | {share(map(supported, hidden))}")
    deploys = [each for during in DURING for each in asked(deploy_step, during, 60)]
    print(f"a deploy's step: anything at all `supported` | {share(map(supported, deploys))}")
    print(f"the deploy named first | {share(causes[0].name == 'v42' for causes in deploys)}")
    for every in EVERY:
        rows = [list(asked(kv_pressure, during, 40, every=every)) for during in DURING]
        found = ", ".join(share("kv_cache_usage" in supported(causes) for causes in row) for row in rows)
        print(f"KV cache full, scraped every {every * TICK_S:.0f} s: `supported` | {found}")
        print(f"the tenant that drives it named in the chain | {share(driven(c) for row in rows for c in row)}")


def asked(make: Callable[..., Case], during: int, runs: int, **how: int) -> Iterator[Causes]:
    """The causes of so many incidents of a kind."""
    for seed in range(runs):
        made = make(np.random.default_rng([during, seed, *how.values()]), during=during, **how)
        yield find_causes(
            made.excess,
            made.onset,
            made.candidates,
            made.events,
            tick_s=TICK_S,
            settings=Attribution(),
            seed=seed,
            signal="ttft",
        )


def supported(causes: Causes) -> list[str]:
    """Names of what is claimed."""
    return [cause.name for cause in causes if cause.tier == "supported"]


def driven(causes: Causes) -> bool:
    """Whether the chain of the KV cache begins with the tenant that fills it."""
    chains = [cause.via for cause in causes if cause.name == "kv_cache_usage"]
    return any("tenant=batch" in link for chain in chains for link in chain)


def share(found: Iterable[object]) -> str:
    """How many of them are true, in percent."""
    each = [bool(one) for one in found]
    return f"{np.mean(each):.1%} of {len(each)}"


if __name__ == "__main__":
    main()
