"""What the false-alarm budget costs: how long a change takes to be noticed, and how long learning takes."""

from driftwatch.price.account import delays
from driftwatch.price.report import Price

__all__ = ["Price", "delays"]
