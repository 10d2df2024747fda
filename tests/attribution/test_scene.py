"""Whose traffic is named: everybody's, or that of the part which grew."""

import numpy as np
import pytest

from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.attribution.scene import one_part_moved

ONSET = 100


def flow(before: float, after: float) -> list[Candidate]:
    return [Candidate("traffic", "exogenous", np.r_[np.full(ONSET, before), np.full(60, after)])]


def moved(**parts: tuple[float, float]) -> bool:
    before, after = (sum(levels) for levels in zip(*parts.values(), strict=True))
    return one_part_moved(flow(before, after), [flow(*levels) for levels in parts.values()], ONSET)


@pytest.mark.parametrize(
    ("parts", "one"),
    [
        ({"chat": (900.0, 900.0), "batch": (0.0, 400.0)}, True),  # nobody else
        ({"chat": (900.0, 1200.0), "batch": (0.0, 400.0)}, True),  # new, while others grew by a third
        ({"chat": (600.0, 1200.0), "batch": (400.0, 800.0)}, False),  # everybody
        ({"chat": (900.0, 1300.0), "batch": (300.0, 350.0)}, True),  # nearly all of it
        ({"chat": (900.0, 880.0), "batch": (300.0, 290.0)}, False),  # less of everything
    ],
)
def test_a_part_is_named_where_the_move_is_its_own(parts, one):
    assert moved(**parts) is one
