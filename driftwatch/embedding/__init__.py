"""Text becomes numbers here: cheap features, encoders behind one protocol, vectors that callers bring.

Importing this needs numpy only; nothing of a text is kept.
"""

from __future__ import annotations

from driftwatch.embedding.duplicates import NearDuplicates
from driftwatch.embedding.text import SIGNALS, Features, features

__all__ = ["SIGNALS", "Features", "NearDuplicates", "features"]
