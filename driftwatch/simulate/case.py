"""One simulation from end to end: a deployment, a fault of the right size, what happened, and what would have."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from driftwatch.errors import InputError
from driftwatch.simulate.answers import Answers
from driftwatch.simulate.columns import Traffic
from driftwatch.simulate.confounders import CONFOUNDERS, Confounded, confounded
from driftwatch.simulate.controls import CONTROLS
from driftwatch.simulate.scenario import Scenario
from driftwatch.simulate.scenarios import SCENARIOS
from driftwatch.simulate.scheduler import Plan
from driftwatch.simulate.service import Run, hashed, serve
from driftwatch.simulate.severity import effect, sized, target
from driftwatch.simulate.shapes import Course, Shape
from driftwatch.simulate.workload import draw

EPOCH = 1_767_571_200.0
"""A Monday, midnight UTC, in January 2026: when all simulations begin."""
HEALTHY_S, LATER_S = 1800.0, 300.0
"""A fault begins after this much of an hour, and at most so much later; in proportion in shorter or longer ones."""
_BEFORE_S = 120.0


@dataclass(frozen=True)
class Case:
    """A scenario with everything drawn that does not depend on the size of its fault.

    Parameters
    ----------
    scenario
        What is broken, and how.
    severity
        How bad users shall find it.
    seed
        Of all draws.
    course
        When the fault is there, and how much of it.
    start, end
        What is simulated, in seconds since the epoch.
    world
        The deployment and what else goes on in it.
    answers
        Where text comes from; None for none.
    """

    scenario: Scenario
    severity: str
    seed: int
    course: Course
    start: float
    end: float
    world: Confounded
    answers: Answers | None

    @cached_property
    def traffic(self) -> Traffic:
        """What is sent as long as nothing is wrong."""
        service, tenants = self.world.deployment.service, self.world.deployment.tenants
        if self.answers is not None:
            tenants = tuple(replace(t, n_prompts=len(self.answers)) for t in tenants)
        traffic = draw(tenants, service.model, self.start, self.end - self.start, self.seed)
        return traffic if self.answers is None else asked(traffic, self.answers, self.scenario, self.course)

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """Settings of the replicas as long as nothing is wrong."""
        return self.world.plans(self.start)

    def run(self, size: float) -> Run:
        """What happens with a fault of this size; 0 is none."""
        return self._served(size, self.course, self.start, self.end)

    def moved(self, size: float) -> float:
        """How far a fault of this size that is there at once moves the median of the signal."""
        course = replace(self.course, shape="step")
        run = self._served(size, course, self.course.onset - _BEFORE_S, self.course.until)
        return effect(self.scenario.signal, run, self._healthy_trial, self.reached)

    @cached_property
    def size(self) -> float:
        """How large the fault must be for users to feel what the severity says."""
        if self.scenario.size is not None:
            return self.scenario.size
        wanted = target(self.scenario, self.severity)
        return wanted if self.scenario.signal == "answers" else sized(self.moved, wanted, self.scenario.most)

    def reached(self, run: Run) -> np.ndarray:
        """Which requests the fault can reach, as a mask: of tenants who were there before, while it is there."""
        at, labels = run.traffic.at, run.traffic.labels
        names = [tenant.name for tenant in self.world.deployment.tenants]
        mask = (at >= self.course.onset) & (at < self.course.until)
        mask &= np.any([labels["tenant"].equals(name) for name in names], axis=0)
        for label, value in self.scenario.who.items():
            mask &= (run.outcomes.replica == int(value)) if label == "replica" else labels[label].equals(value)
        return np.asarray(mask)

    @cached_property
    def _healthy_trial(self) -> Run:
        return self._served(0.0, self.course, self.course.onset - _BEFORE_S, self.course.until)

    def _served(self, size: float, course: Course, start: float, end: float) -> Run:
        service, fault = self.world.deployment.service, self.scenario.fault
        traffic = self.traffic.take((self.traffic.at >= start) & (self.traffic.at < end))
        plans = [_from(plan, start) for plan in self.plans]
        if size > 0:
            traffic = fault.sent(traffic, course, size, service.model, end, self.seed)
            plans = list(fault.plans(service, plans, course, size))
        return serve(service, traffic, plans, start, end, self.seed)


def case(
    name: str,
    severity: str = "moderate",
    seed: int = 0,
    *,
    shape: Shape | None = None,
    minutes: float = 60.0,
    confounders: Collection[str] = (),
    answers: Answers | None = None,
) -> Case:
    """Draw a case of a scenario or control.

    Parameters
    ----------
    name
        Of a scenario or a control.
    severity
        ``mild``, ``moderate`` or ``severe``.
    seed
        Of all draws.
    shape
        How the fault comes; as the scenario has it unless given.
    minutes
        How long the recording is; the fault begins after half of it.
    confounders
        What else goes on: names of `driftwatch.simulate.confounders.CONFOUNDERS`.
    answers
        Real answers, if the recording shall have text.

    Raises
    ------
    InputError
        If there is no such scenario, severity, shape or confounder, or the time is too short.
    """
    scenario = (SCENARIOS | CONTROLS).get(name)
    if scenario is None:
        raise InputError(f"there is no scenario '{name}'; there are {', '.join(SCENARIOS | CONTROLS)}")
    if wrong := set(confounders) - set(CONFOUNDERS):
        raise InputError(f"no confounder {', '.join(sorted(wrong))}; there are {', '.join(CONFOUNDERS)}")
    if minutes < 10:
        raise InputError(f"{minutes:g} minutes are too short for a before and an after; simulate at least 10")
    target(scenario, severity)
    rng = np.random.default_rng([seed, 1])
    start, end = EPOCH + 9 * 3600.0, EPOCH + 9 * 3600.0 + 60.0 * minutes
    onset = float(np.round(start + minutes / 60.0 * (HEALTHY_S + LATER_S * rng.random()), 3))
    until = min(onset + scenario.lasts_s, end)
    ramp_s = 0.6 * (end - onset)
    course = Course(onset, until, shape or scenario.shape, ramp_s, scenario.wobble, seed)
    world = confounded(scenario.deployment(), confounders, start, end, rng)
    return Case(scenario, severity, seed, course, start, end, world, answers)


def asked(traffic: Traffic, answers: Answers, scenario: Scenario, course: Course) -> Traffic:
    """Give every request a real prompt, and the length of the real answer that it will get."""
    topics = tuple(answers.topic_prompts)
    usual = answers.about(*topics[: (len(topics) + 1) // 2])
    prompt = usual[traffic.prompt % len(usual)]
    if scenario.fault.text == "new_topic":
        other = answers.about(*topics[(len(topics) + 1) // 2 :])
        prompt = np.where(course.at(traffic.at) > 0, other[traffic.prompt % len(other)], prompt)
    tokens = answers.tokens[0, prompt, sample_of(traffic, answers)]
    return replace(traffic, prompt=prompt, output_tokens=tokens)


def sample_of(traffic: Traffic, answers: Answers) -> np.ndarray:
    """Which of a model's answers to its prompt each request gets."""
    return hashed((traffic.at * 1e3).astype(np.int64), 3) % answers.samples


def _from(plan: Plan, start: float) -> Plan:
    """What of a plan holds from a time on."""
    now = [settings for at, settings in plan if at <= start][-1]
    return [(start, now), *(step for step in plan if step[0] > start)]
