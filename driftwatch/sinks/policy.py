"""How patient the outbox is, and how much it keeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds.

    Parameters
    ----------
    first_delay_s, longest_delay_s
        Before the second attempt; it doubles with each attempt up to the longest.
    trip_after
        After so many failures in a row a destination is left alone, also for the sake of the others.
    lease_s
        Nobody else takes up what one process is sending for this long; it must exceed the time of one attempt.
    max_age_s
        What could not be delivered for this long goes to the dead letters.
    max_pending, max_dead
        Deliveries that wait, and dead letters that are kept; the oldest go first.
    keep_s
        How long it is remembered that something was delivered, so that it is not sent twice.
    """

    first_delay_s: float = 2.0
    longest_delay_s: float = 300.0
    trip_after: int = 5
    lease_s: float = 30.0
    max_age_s: float = 86_400.0
    max_pending: int = 10_000
    max_dead: int = 1_000
    keep_s: float = 604_800.0

    def delay(self, failures: int, draw: float) -> float:
        """Seconds to wait after so many failures: exponential, with half of it drawn by lot.

        Parameters
        ----------
        failures
            At least 1.
        draw
            Uniform on [0, 1): two senders that failed together do not come back together.

        Examples
        --------
        >>> [Policy().delay(n, 0.5) for n in (1, 2, 3, 20)]
        [1.5, 3.0, 6.0, 225.0]
        """
        whole = min(self.first_delay_s * 2.0 ** min(failures - 1, 60), self.longest_delay_s)
        return whole * (1 + draw) / 2
