"""Text becomes numbers here: cheap features, encoders behind one protocol, vectors that callers bring.

Importing this needs numpy only; nothing of a text is kept.
"""

from __future__ import annotations

from driftwatch.embedding.budget import Sampler
from driftwatch.embedding.duplicates import NearDuplicates
from driftwatch.embedding.hashing import HashingEncoder
from driftwatch.embedding.protocol import Encoder, Vectors, vectors_of
from driftwatch.embedding.sentences import SentenceEncoder
from driftwatch.embedding.text import SIGNALS, Features, features

__all__ = [
    "SIGNALS",
    "Encoder",
    "Features",
    "HashingEncoder",
    "NearDuplicates",
    "Sampler",
    "SentenceEncoder",
    "Vectors",
    "features",
    "vectors_of",
]
