"""Words as 64-bit hashes: the same in every process, for many texts at once, and with no text in them.

A word is a run of letters, marks and digits, in lower case; a letter of a script that puts no spaces between words is a
word by itself. Its hash is the sum of its characters, each times an odd number that its position draws: a linear hash
[1]_, mixed afterwards so that its low bits are as good as its high ones.

References
----------
.. [1] Carter, Wegman. Universal classes of hash functions. Journal of Computer and System Sciences 18, 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.characters import ALONE, DIGIT, MARK, ROWS, Characters
from driftwatch.events.identity import Hashes, mix

_PERIOD = 64  # positions of a word that are told apart
_ODD: Hashes = mix(np.arange(1, _PERIOD + 1, dtype=np.uint64)) | np.uint64(1)
_ROW_BITS = ROWS.bit_length() - 1  # of a key that holds a row and a hash


@dataclass(frozen=True, slots=True)
class Tokens:
    """Hashes of parts of texts (words, runs of words, runs of characters), in order.

    Parameters
    ----------
    hashes
        Shape (m,).
    row
        Shape (m,): the text that each belongs to, ascending.
    texts
        How many texts there are, `ROWS` at most.
    """

    hashes: Hashes
    row: NDArray[np.intp]
    texts: int

    def counts(self) -> NDArray[np.intp]:
        """How many each text has: shape (texts,)."""
        return np.bincount(self.row, minlength=self.texts)

    def runs(self, length: int) -> Tokens:
        """Hash all runs of so many tokens that lie within one text.

        Examples
        --------
        >>> words = words_of(Characters.of(["to be or", "not", "to be"]))
        >>> pairs = words.runs(2)
        >>> pairs.row.tolist(), bool(pairs.hashes[0] == pairs.hashes[2])
        ([0, 0, 2], True)
        """
        runs = max(len(self.row) - length + 1, 0)
        within = np.flatnonzero(self.row[:runs] == self.row[len(self.row) - runs :])
        total = np.zeros(len(within), np.uint64)
        for k in range(length):
            total += self.hashes[within + k] * _ODD[k]
        return Tokens(mix(total), self.row[within], self.texts)

    def keys(self) -> NDArray[np.uint64]:
        """Row and hash as one number, so that equal ones are the same token of the same text: shape (m,)."""
        return np.asarray(self.row.astype(np.uint64) << np.uint64(64 - _ROW_BITS) | self.hashes >> np.uint64(_ROW_BITS))

    def distinct(self) -> tuple[Tokens, NDArray[np.intp]]:
        """Find each text's different tokens (hashes cut to 48 bits) and how often each is there.

        Examples
        --------
        >>> words_of(Characters.of(["so so so", "la di la"])).distinct()[1].tolist() in ([3, 1, 2], [3, 2, 1])
        True
        """
        keys = np.sort(self.keys())
        first = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
        row = (keys[first] >> np.uint64(64 - _ROW_BITS)).astype(np.intp)
        hashes = keys[first] << np.uint64(_ROW_BITS)
        return Tokens(hashes, row, self.texts), np.diff(first, append=len(keys))


def words_of(characters: Characters) -> Tokens:
    """Hash the words of texts.

    Examples
    --------
    >>> words = words_of(Characters.of(["Time flies!", "time: 天地"]))
    >>> words.counts().tolist(), bool(words.hashes[0] == words.hashes[2])
    ([2, 3], True)
    """
    inside = np.flatnonzero(characters.classes >= DIGIT)
    if not len(inside):
        return Tokens(np.empty(0, np.uint64), inside, characters.texts)
    starts = np.flatnonzero(_begins(characters)[inside])
    length = np.diff(starts, append=len(inside))
    position = np.arange(len(inside)) - np.repeat(starts, length)
    sums = np.add.reduceat(characters.codes[inside] * _ODD[position % _PERIOD], starts)
    return Tokens(mix(sums + length.astype(np.uint64)), characters.row[inside[starts]], characters.texts)


def _begins(characters: Characters) -> NDArray[np.bool_]:
    """Where a character that is part of a word would be its first."""
    classes = characters.classes
    begins = classes >= ALONE
    begins[1:] |= classes[:-1] < DIGIT
    begins[1:] |= (classes[:-1] >= ALONE) & (classes[1:] != MARK)
    first = np.cumsum(characters.length) - characters.length
    begins[first[characters.length > 0]] = True
    return begins


def character_runs(characters: Characters, length: int) -> Tokens:
    """Hash all runs of so many characters within one text (in lower case, spaces included).

    Examples
    --------
    >>> character_runs(Characters.of(["data", "at"]), 2).counts().tolist()
    [3, 1]
    """
    return Tokens(mix(characters.codes.astype(np.uint64)), characters.row, characters.texts).runs(length)
