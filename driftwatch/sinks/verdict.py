"""What an HTTP status means for a message: taken, later again, never, or stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from driftwatch.errors import DeliveryError

_LATER = {408: "timeout", 425: "server", 429: "throttled"}
_SETUP = (401, 403, 404, 405, 407)
LONGEST_WAIT_S = 3600.0
"""The longest that a destination may ask for by Retry-After, in seconds."""


def verdict(status: int, headers: Mapping[str, str], *, where: str, said: str = "") -> None:
    """Accept a reply, or raise what it means.

    Parameters
    ----------
    status
        HTTP status; 2xx: taken. 410: the destination is gone (Standard Webhooks asks to stop then). 408, 425, 429 and
        5xx: again later. Redirects are not followed; they and 401, 403, 404 and the like mean a destination that is not
        set up as it should be, which somebody may mend, so they are tried again as well. Any other 4xx: never.
    headers
        With names in lower case.
    where, said
        The host, and what it replied, for the error.

    Raises
    ------
    DeliveryError
        If it was not taken.

    Examples
    --------
    >>> verdict(204, {}, where="example.org")
    >>> verdict(429, {"retry-after": "30"}, where="example.org")
    Traceback (most recent call last):
    driftwatch.errors.DeliveryError: throttled: 429 from example.org
    """
    if 200 <= status < 300:
        return
    problem = f"{status} from {where}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        raise DeliveryError("redirect", f"{status} from {where}: redirects are not followed")
    if status == 410:
        raise DeliveryError("gone", problem, retry=False)
    if status in _LATER or status >= 500:
        raise DeliveryError(_LATER.get(status, "server"), problem, after_s=wait(headers.get("retry-after", "")))
    if status in _SETUP:
        raise DeliveryError("setup", problem)
    raise DeliveryError("refused", problem, retry=False)


def wait(retry_after: str, now: datetime | None = None) -> float:
    """Seconds that a Retry-After header asks for: a number or a date (RFC 9110, section 10.2.3); 0 if it says neither.

    Examples
    --------
    >>> wait("120"), wait("Fri, 27 Nov 2026 10:00:30 GMT", datetime(2026, 11, 27, 10, tzinfo=UTC)), wait("soon")
    (120.0, 30.0, 0.0)
    """
    text = retry_after.strip()
    if text.isdecimal():
        asked = float(text[:12])
    else:
        try:
            at = parsedate_to_datetime(text)
            asked = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(max(asked, 0.0), LONGEST_WAIT_S)
