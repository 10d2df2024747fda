"""What is healthy, given the workload: learnt, with its range and its uncertainty, and refreshed while all is well."""

from driftwatch.baseline.judged import Judged, Observed, SegmentSums
from driftwatch.baseline.parts import SIZE as PARTS
from driftwatch.baseline.parts import part_labels, parts_name
from driftwatch.baseline.response import ResponseBaseline
from driftwatch.baseline.saved import Baseline
from driftwatch.baseline.senders import sender_of
from driftwatch.baseline.stream import StreamBaseline

__all__ = [
    "PARTS",
    "Baseline",
    "Judged",
    "Observed",
    "ResponseBaseline",
    "SegmentSums",
    "StreamBaseline",
    "part_labels",
    "parts_name",
    "sender_of",
]
