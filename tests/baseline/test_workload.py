from dataclasses import replace

import numpy as np
import pytest

from driftwatch.baseline.features import FEATURES, load_of, workload_of
from driftwatch.baseline.workload import CONDITIONAL, Measured, WorkloadModel, by_tick, measured
from driftwatch.config import Config
from driftwatch.ticks import TickBuilder
from tests.traffic import START, traffic

FIRST = int(START // 5.0)
DESIGN = 8


def seen_at(requests):
    """Ticks of some traffic, and their workload."""
    builder = TickBuilder(Config())
    builder.add(requests)
    last = int(requests.at.max() // 5.0)
    ticks = builder.close(last)
    counts = np.bincount(ticks.tick - FIRST, weights=ticks.requests, minlength=last - FIRST + 1)
    return ticks, workload_of(ticks, load_of(counts, np.empty(0)), FIRST)


def made_up(seed, coefficients, n=3000, noise=0.2):
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 0.5, (n, 4))
    design = np.column_stack([np.ones(n), logs[:, :3], logs[:, :3] ** 2, logs[:, 3]])
    return design, Measured(np.arange(n), design @ coefficients + rng.normal(0, noise, n), np.ones(n))


def test_the_workload_that_a_signal_is_given_is_learnt():
    truth = np.array([-1.0, 0.8, 0.0, -0.3, 0.1, 0.0, 0.2, 0.4])  # of prompt, prefill and load
    model = WorkloadModel.fit("ttft", *made_up(0, truth), 1.0)
    assert model.coefficients == pytest.approx(truth, abs=0.03)
    assert model.scale == pytest.approx(0.2, rel=0.1)


def test_what_a_signal_is_not_given_is_not_used():
    truth = np.array([-1.0, 0.8, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0])
    model = WorkloadModel.fit("ttft", *made_up(1, truth), 1.0)
    assert model.coefficients[FEATURES.index("output")] == pytest.approx(0.0, abs=1e-6)
    assert model.scale > 0.3


@pytest.mark.parametrize("slope", [-2.0, -0.3, 0.0])
def test_more_load_never_makes_an_engine_faster(slope):
    truth = np.array([0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, slope])
    for seed in range(5):
        assert WorkloadModel.fit("ttft", *made_up(seed, truth), 1.0).coefficients[-1] >= 0.0
    model = WorkloadModel.fit("ttft", *made_up(0, np.zeros(DESIGN)), 1.0)
    for _ in range(3):
        model.absorb(*made_up(9, truth))
        model.settle()
        assert model.coefficients[-1] >= 0.0


def test_what_is_absorbed_counts_when_it_is_solved_again():
    first, then = np.array([0.0, 0.5, 0, 0, 0, 0, 0, 0]), np.array([0.2, 0.9, 0, 0, 0, 0, 0, 0])
    model = WorkloadModel.fit("ttft", *made_up(0, first), 1.0)
    before = model.coefficients.copy()
    model.absorb(*made_up(1, then))
    assert np.array_equal(model.coefficients, before)
    model.settle()
    assert model.coefficients[:2] == pytest.approx([0.1, 0.7], abs=0.07)


def test_a_model_is_the_same_again_from_its_arrays():
    model = WorkloadModel.fit("latency", *made_up(2, np.linspace(0, 0.6, DESIGN)), 4.0)
    again = WorkloadModel.of_arrays({k: v.copy() for k, v in model.arrays().items()})
    for one in (model, again):
        one.absorb(*made_up(3, np.linspace(0, 0.5, DESIGN)))
        one.settle()
    assert again.arrays().keys() == model.arrays().keys()
    for name, array in model.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)


def test_residuals_do_not_depend_on_which_rows_are_asked_for_together():
    design, seen = made_up(4, np.linspace(-1, 1, DESIGN), n=301)
    model = WorkloadModel.fit("latency", design, seen, 1.0)
    whole = model.residual(design, seen)
    for rows in np.array_split(np.arange(301), 13):
        part = Measured(np.arange(len(rows)), seen.value[rows], seen.count[rows])
        assert np.array_equal(model.residual(design[rows], part), whole[rows])


def test_real_ticks_give_the_slopes_that_made_them():
    ticks, workload = seen_at(traffic(0, ticks=400))
    centre = np.append(np.nanmean(workload.logs[:, :2], axis=0), [0.0, workload.load.mean(), workload.load.min()])
    design = workload.design(centre)
    model = WorkloadModel.fit("ttft", design, measured("ttft", ticks, workload), 20.0)
    assert model.coefficients[1] == pytest.approx(0.5, abs=0.03)  # ttft grows with the root of the prompt
    assert model.coefficients[4] == pytest.approx(0.0, abs=0.03)


def test_every_signal_is_measured_in_log_units_or_as_a_part():
    requests = traffic(1, ticks=30)
    cached = np.floor(requests.prompt_tokens / 3)
    ticks, workload = seen_at(replace(requests, cached_tokens=cached))
    direct = {"ttft": requests.ttft, "itl": requests.itl, "latency": requests.latency}
    direct["output_length"] = 1 + requests.output_tokens
    direct["prefill_share"] = np.exp(1.0 - cached / requests.prompt_tokens)
    for signal in CONDITIONAL:
        values = measured(signal, ticks, workload)
        assert values.count.sum() == len(requests)
        mean = np.average(values.value, weights=values.count)
        assert mean == pytest.approx(np.log(direct[signal]).mean(), abs=0.002)


def test_a_tick_without_values_has_no_location():
    tick, value, total = by_tick(
        "ttft", np.array([10, 10, 12]), np.array([1.0, 3.0, 5.0]), np.array([1.0, 1.0, 4.0]), 9, 5
    )
    assert (tick.tolist(), value.tolist(), total.tolist()) == ([10, 12], [2.0, 5.0], [2.0, 4.0])
    assert [len(a) for a in by_tick("ttft", np.empty(0, int), np.empty(0), np.empty(0), 9, 5)] == [0, 0, 0]
