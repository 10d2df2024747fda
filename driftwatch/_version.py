"""The version, in a file that every floor may read."""

__version__ = "0.1.0.dev0"
