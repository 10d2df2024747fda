"""What is known, as JSON and arrays, in a file that is whole or not there at all."""

from driftwatch.state.codec import pack, saved, unpack
from driftwatch.state.files import from_bytes, put, read, to_bytes, write
from driftwatch.state.living import keep, take

__all__ = ["from_bytes", "keep", "pack", "put", "read", "saved", "take", "to_bytes", "unpack", "write"]
