import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.bets import BETS, CELLS, cell_of, reach_of, table, weights
from driftwatch.statistics.normal import normal_tail


def test_every_bet_falls_in_p():
    """Else a p-value that is larger than uniform, in a margin or a tie, could win."""
    assert (np.diff(table()[:CELLS], axis=0) >= -1e-12).all()


@given(st.integers(1, 10**6))
def test_every_bet_is_fair_whatever_the_past_can_show(past):
    """The mean over a uniform p is 1 also where all that is beyond a record counts the same."""
    reach = reach_of(np.array([past]))
    edges = np.append(np.exp(-np.arange(CELLS) / 32.0), 0.0)
    cells = np.where(np.arange(CELLS) >= reach[0], CELLS + reach[0], np.arange(CELLS))
    mean = (np.exp(table()[cells]) * -np.diff(edges)[:, None]).sum(axis=0)
    assert mean == pytest.approx(np.ones(BETS))


def test_cells_are_found_again():
    p = np.array([1.0 - 1e-12, 0.5, 0.01, 1e-9])[:, None, None].repeat(2, axis=2)
    assert cell_of(p, np.array([CELLS - 1]))[:, 0, 0].tolist() == [0, 22, 147, 2 * CELLS - 1]
    assert cell_of(p, reach_of(np.array([50])))[:, 0, 0].tolist() == [0, 22, CELLS + 125, CELLS + 125]


def test_a_bet_on_a_shift_is_the_likelihood_ratio():
    z = np.linspace(-1, 3, 50)
    cells = cell_of(np.stack([normal_tail(z)] * 2, axis=1)[:, None], np.array([CELLS - 1]))[:, 0, 0]
    found = table()[cells]
    for k, shift in ((1, 0.35), (3, 1.1)):
        assert np.allclose(found[:, k], shift * z - 0.5 * shift**2, atol=0.1)


def test_the_excess_over_the_boundary_is_given_back():
    assert weights().shape == (BETS,)
    assert 1.2 < weights().sum() < 1.8
