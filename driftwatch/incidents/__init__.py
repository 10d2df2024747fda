"""Evidence → incidents: one budget for all tests, grouping of what belongs together, a life from open to resolved."""

from driftwatch.incidents.budget import log_loss_threshold, log_threshold
from driftwatch.incidents.life import Alarm, Life, join, opened
from driftwatch.incidents.models import Incident

__all__ = ["Alarm", "Incident", "Life", "join", "log_loss_threshold", "log_threshold", "opened"]
