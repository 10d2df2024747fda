"""What the measurements of one candidate amount to: a tier, and the test that decided, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from driftwatch.attribution.causes.candidates import Event, Family
from driftwatch.attribution.causes.dose import LEAST_READINGS, LEAST_TICKS, Dose
from driftwatch.attribution.causes.screening import NEVER, Screened
from driftwatch.attribution.causes.shares import Share
from driftwatch.incidents.models import Cause, Tier

LEAST_SHARE = 0.1
"""What explains less of the excess than this is no cause of it."""
LEAST_OF_USERS = 1 / 2
"""What users do always matters a little: it is a cause where it explains as much as this."""
STRANGERS = 0.2
"""A series of which nothing is known that could act on the signal is believed at this share of the level."""
TELLING_READINGS = 24
"""With fewer readings than this a failed test rules nothing out."""
PINNED_AT = 0.98
"""Of its ceiling: as good as at it, for blocks are given out whole."""
PINNED = 0.5
"""At the ceiling for more than this share of the ticks, a series says no longer how much."""
_STEADY = 0.1
_UNLIKE = 0.1
_AHEAD = 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """Everything measured about one family that passed the screen.

    Parameters
    ----------
    screened
        The family and how it moved.
    share
        What it explains of the excess.
    dose
        Its dose-response since the onset, None where that could not be tested.
    ticks, readings
        Ticks with requests, and different readings of the series, since the onset.
    pinned
        Share of the ticks since the onset that it spent at its ceiling.
    lag_s
        By how much it runs ahead.
    chain
        From driver to signal, by label.
    by_way
        Share of its rise that traffic explains.
    drives
        The mechanism whose rise it explains, if any, and how much of it.
    event
        The text of an event that explains more beside it, if any.
    together
        The label of another that passes too and that it cannot be told apart from, if any.
    unlikely
        Why it can hardly have done this, as far as is known of how it acts, if so.
    stranger
        Whether nothing is known of how it could act on the signal.
    bystanders
        How many of the negative controls follow the signal as well, where these are too many.
    step
        Why its step alone is that of a known mechanism (`driftwatch.attribution.causes.physics`), if it is.
    """

    screened: Screened
    share: Share
    dose: Dose | None
    ticks: int
    readings: int
    pinned: float
    lag_s: float
    chain: tuple[str, ...]
    by_way: float = 0.0
    drives: tuple[str, float] | None = None
    event: str = ""
    together: str = ""
    step: str = ""
    unlikely: str = ""
    bystanders: str = ""
    stranger: bool = False

    @property
    def family(self) -> Family:
        """The candidates that it is about."""
        return self.screened.family

    def passes(self, significance: float) -> bool:
        """Whether the dose-response is significant, given everything that was tried."""
        level = significance * STRANGERS if self.stranger else significance
        return self.dose is not None and self.dose.familywise <= level


def verdict(case: Case, significance: float) -> Cause:
    """Decide the tier of a candidate.

    Parameters
    ----------
    case
        What was measured.
    significance
        Level of the permutation test.
    """
    tier, reason = decided(case, significance)
    share = replace(case.share, low=surely(case, significance))
    return _cause(case.screened, tier, reason, share, case.lag_s, case.chain, _evidence(case))


def surely(case: Case, significance: float) -> float:
    """What it explains at least: of a claim by its step, beside what is known to act and not beside everything."""
    return case.share.known if decided(case, significance)[1] == case.step else case.share.low


def ruled_out(screened: Screened) -> Cause:
    """A candidate that did not pass the screen."""
    return _cause(screened, "ruled_out", screened.out, Share(0.0, 0.0, 0.0), 0.0, (), {})


def event_cause(event: Event, share: Share, distance_s: float, near: bool) -> Cause:
    """An event beside the onset (consistent: it cannot be told apart from what else began then), or away from it."""
    side = "after" if distance_s > 0 else "before"
    where = f"{abs(distance_s):.0f} s {side} the onset" if distance_s else "at the onset"
    reason = f"{where}: whatever began then fits as well" if near else f"{where}, which is too far from it"
    return Cause(
        name=event.text or event.kind,
        role="event",
        tier="consistent" if near else "ruled_out",
        share_low=share.low if near else 0.0,
        share_high=share.high if near else 0.0,
        lag_s=abs(min(distance_s, 0.0)),
        scope=dict(event.scope),
        evidence={"seconds_from_onset": distance_s},
        reason=reason,
    )


def decided(case: Case, significance: float) -> tuple[Tier, str]:
    """The tier of a candidate and the reason for it."""
    if case.share.high < LEAST_SHARE:
        return "ruled_out", f"it explains at most {case.share.high:.0%} of the excess"
    if case.passes(significance) and case.dose is not None and (told := _claimed(case, case.dose))[0] == "supported":
        return told
    if case.step:
        return "supported", case.step
    if case.passes(significance) and case.dose is not None:
        return _claimed(case, case.dose)
    if case.drives is not None:
        return "consistent", f"it explains {case.drives[1]:.0%} of the rise of {case.drives[0]}; {_unproven(case)}"
    if case.dose is None or (doubt := _doubt(case, case.dose)):
        return "consistent", _unproven(case) if case.dose is None else doubt
    return "ruled_out", f"no dose-response: since the onset the signal does not follow it ({_numbers(case.dose)})"


def _claimed(case: Case, dose: Dose) -> tuple[Tier, str]:
    """It passed the permutation test; is there another reading."""
    if case.event:
        return "consistent", f"it coincides with '{case.event}', which explains more of the excess"
    if case.unlikely:
        return "consistent", case.unlikely
    if case.bystanders:
        return "consistent", f"{case.bystanders} series that have nothing to do with it follow the signal as well"
    if case.family.exogenous and LEAST_SHARE <= case.share.low < LEAST_OF_USERS:
        return "consistent", f"it explains {case.share.low:.0%} at least, which is not the larger part"
    if case.family.exogenous and case.screened.members[0].placebo > NEVER:
        return "consistent", "there was as much of it while all was well"
    if case.share.low < LEAST_SHARE:
        return "consistent", "something unmeasured that began at the onset and stayed explains the excess as well"
    if dose.follows > _AHEAD:
        return "consistent", "it follows the signal rather than runs ahead of it"
    if case.together:
        return "consistent", f"it moves together with {case.together} and cannot be told apart from it"
    beyond = "" if case.family.exogenous else ", beyond what traffic explains"
    return "supported", f"since the onset the signal rises and falls with it{beyond} ({_numbers(dose)})"


def _doubt(case: Case, dose: Dose) -> str:
    """Why a failed test does not rule it out, or nothing."""
    if case.pinned >= PINNED:
        return f"pinned at its ceiling in {case.pinned:.0%} of the ticks: how much it mattered cannot be seen"
    if dose.spread < _STEADY:
        return "it hardly varied since the onset: its step fits, its dose cannot be tested"
    if dose.readings < TELLING_READINGS:
        return f"too few readings since the onset to tell ({dose.readings}; {_numbers(dose)})"
    if case.share.low >= LEAST_SHARE:
        return f"its course fits better than a mere step, its ups and downs prove nothing ({_numbers(dose)})"
    if dose.single <= _UNLIKE:
        return f"the signal seems to follow it, which may be chance ({_numbers(dose)}; alone {dose.single:.3f})"
    return ""


def _unproven(case: Case) -> str:
    if case.pinned >= PINNED:
        return f"pinned at its ceiling in {case.pinned:.0%} of the ticks: how much it mattered cannot be seen"
    if case.ticks < LEAST_TICKS:
        return f"too few ticks yet to test its dose ({case.ticks} of {LEAST_TICKS})"
    if case.readings < LEAST_READINGS:
        return f"too few readings since the onset to test its dose ({case.readings} of {LEAST_READINGS})"
    return f"its own ups and downs since the onset prove nothing ({_numbers(case.dose)})" if case.dose else "not tested"


def _numbers(dose: Dose) -> str:
    return f"partial r = {dose.correlation:.2f}, p = {dose.familywise:.3f} by block permutation"


def _evidence(case: Case) -> dict[str, float]:
    facts = {
        "share": case.share.joint,
        "by_way_of_traffic": case.share.joint * case.by_way,
        "beyond_traffic": case.share.joint * (1 - case.by_way),
        "ticks": float(case.ticks),
        "readings": float(case.readings),
        "pinned": case.pinned,
    }
    if case.family.exogenous:
        del facts["by_way_of_traffic"], facts["beyond_traffic"]
    if case.dose is not None:
        facts |= {"dose_response": case.dose.correlation, "p": case.dose.familywise, "p_alone": case.dose.single}
    return facts


def _cause(
    screened: Screened,
    tier: Tier,
    reason: str,
    share: Share,
    lag_s: float,
    chain: tuple[str, ...],
    evidence: dict[str, float],
) -> Cause:
    family, head = screened.family, screened.family.head
    moves = {
        "before": family.turns[0] * screened.members[0].before,
        "after": family.turns[0] * screened.members[0].after,
        "shift": screened.shift,
        "placebo": min(moved.placebo for moved in screened.members),
    }
    return Cause(
        name=head.name,
        role="exogenous" if family.exogenous else "mechanism",
        tier=tier,
        share_low=max(share.low - share.wander, 0.0),
        share_high=min(max(share.high, share.low) + share.wander, 1.0),
        lag_s=lag_s,
        via=chain,
        scope=dict(head.scope),
        evidence=moves | evidence,
        unit=head.unit,
        reason=reason,
    )
