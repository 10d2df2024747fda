"""Who was hit: the parts of a stream's traffic, compared before and after."""

from __future__ import annotations

from driftwatch.attribution.scene import Scene
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.models import Segment


def segments_of(scene: Scene, lead: Alarm, first: int, last: int) -> tuple[Segment, ...]:
    """Segments of the leading signal."""
    return ()
