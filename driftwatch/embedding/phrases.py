"""Which words of a public list an answer has: enough to say how answers changed, and no word of anybody's.

The list is made of words that assistants use whatever they are asked: how they open, link, hedge, list, refuse and
close. A word that is not in it is never kept.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.characters import Characters
from driftwatch.embedding.words import Tokens, words_of
from driftwatch.events.identity import Hashes

_LISTED = """
certainly|sure|absolutely|of course|great question|here is|here are|here's|let me|let's|happy to|glad to
sorry|apologize|unfortunately|cannot|can't|unable|not able|not sure|i don't|i do|don't know|as an|an ai|language model
i'm|i am|i was|i have|i can|i think|i would|i could|my|me|we|our|you|your|you can|you could|you may|please|thank you
the|a|and|or|but|of|to|in|for|with|on|as|by|from|that|this|these|those|it|its|is|are|was|were|be|been|being
has|have|had|do|does|did|can|could|may|might|must|should|will|would|not|no|yes|if|then|than|so|because|while|when
which|who|what|where|how|why|there|their|they|them|he|she|his|her|one|two|three|first|second|third|next|finally|last
however|therefore|moreover|furthermore|additionally|also|although|though|instead|rather|thus|hence|indeed|besides
for example|for instance|such as|in addition|as well|on the|other hand|in conclusion|in summary|to summarize|overall
in order|due to|according to|based on|in general|generally|typically|usually|often|sometimes|always|never|likely
possible|possibly|perhaps|maybe|probably|important|it's important|to note|keep in|in mind|remember|note that|note
key|main|several|various|many|some|other|different|specific|common|new|good|best|better|more|most|less|very|just|only
step|steps|option|options|example|tips|list|points|following|below|above|include|includes|including|additional
help|helps|use|using|make|provide|provides|ensure|consider|try|start|create|need|want|like|know|see|find|get|take
understand|explore|delve|crucial|essential|significant|comprehensive|unique|clear|simple|easy|detailed|effective
ultimately|hope this|let me know|if you|feel free|any questions|further|more information|would you|do you|question
answer|information|time|people|way|things|work|world|human|response|text|context|opinion|personal|experience
code|function|def|return|import|print|class|null|true|false|error|http|www|com
1|2|3|4|5|10|100|however it|it is|there are|there is|this is|that is|i apologize|i'm sorry|does not|do not|is not
"""
PHRASES: tuple[str, ...] = tuple(dict.fromkeys(_LISTED.strip().replace("\n", "|").split("|")))
"""The list, in lower case."""


def phrases_in(words: Tokens) -> NDArray[np.uint8]:
    """Which phrases are in texts, given their words: a bit each, shape (texts, len(PHRASES) / 8, rounded up).

    Examples
    --------
    >>> bits = phrases_in(words_of(Characters.of(["Certainly! Here is a list."])))
    >>> [PHRASES[k] for k in np.flatnonzero(unpacked(bits)[0])]
    ['certainly', 'here is', 'a', 'is', 'list']
    """
    found = np.zeros((words.texts, len(PHRASES)), np.bool_)
    for length in (1, 2, 3):
        hashes, position = _hashes(length)
        runs = words if length == 1 else words.runs(length)
        at = np.minimum(hashes.searchsorted(runs.hashes), len(hashes) - 1)
        hit = hashes[at] == runs.hashes
        found[runs.row[hit], position[at[hit]]] = True
    return np.packbits(found, axis=1)


def unpacked(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The inverse: shape (n, len(PHRASES))."""
    return np.unpackbits(bits, axis=1, count=len(PHRASES)).astype(np.bool_)


@cache
def _hashes(length: int) -> tuple[Hashes, NDArray[np.intp]]:
    """Hashes of the phrases of so many words, ascending, and where each stands in the list."""
    words = words_of(Characters.of(PHRASES))
    counts = words.counts()
    whole = words if length == 1 else words.runs(length)
    own = counts[whole.row] == length
    order = np.argsort(whole.hashes[own])
    return whole.hashes[own][order], whole.row[own][order]
