"""Sequential tests on what the baseline cannot explain: one file a detector, one conformance suite for all."""

from driftwatch.detectors.anchored import AnchoredDetector, median_of, sum_of
from driftwatch.detectors.answers import AnswerDetector
from driftwatch.detectors.location import LocationDetector
from driftwatch.detectors.proportion import ProportionDetector
from driftwatch.detectors.protocol import Detector, Moves, Recent, Shift
from driftwatch.detectors.state import state_of, take_state

__all__ = [
    "AnchoredDetector",
    "AnswerDetector",
    "Detector",
    "LocationDetector",
    "Moves",
    "ProportionDetector",
    "Recent",
    "Shift",
    "median_of",
    "state_of",
    "sum_of",
    "take_state",
]
