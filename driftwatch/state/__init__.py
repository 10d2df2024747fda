"""What is known, as JSON and arrays, in a file that is whole or not there at all."""

from driftwatch.state.codec import pack, saved, unpack
from driftwatch.state.files import read, write
from driftwatch.state.living import keep, take

__all__ = ["keep", "pack", "read", "saved", "take", "unpack", "write"]
