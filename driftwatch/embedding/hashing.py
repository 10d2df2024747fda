"""The encoder that needs nothing: words, pairs of words and runs of characters, hashed into signed buckets.

Feature hashing [1]_ keeps the inner products of bags of words in expectation, in as many dimensions as one likes, and
has nothing to learn or to load. Words, pairs and characters weigh the same, whatever the length of the text; a count of
c weighs 1 + log(c).

References
----------
.. [1] Weinberger, Dasgupta, Langford, Smola, Attenberg. Feature hashing for large scale multitask learning. ICML 2009.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.characters import Characters, blocks
from driftwatch.embedding.protocol import Matrix
from driftwatch.embedding.words import Tokens, character_runs, words_of
from driftwatch.events.identity import mix

_CHARACTERS = 4  # of a run


@dataclass(frozen=True, slots=True)
class HashingEncoder:
    """Encodes texts without a model: the same vector in every process and on every platform.

    Of a long text the beginning and the end are encoded (`driftwatch.embedding.characters.seen`).

    Parameters
    ----------
    dimensions
        Of a vector.
    seed
        Which buckets words fall into.

    Raises
    ------
    ValueError
        If there are no dimensions.

    Examples
    --------
    >>> vectors = HashingEncoder().encode(["The cat sat down.", "the cat lay down", "Markets fell"])
    >>> vectors.shape, (vectors @ vectors[0]).round(1).tolist()
    ((3, 256), [1.0, 0.5, 0.0])
    """

    dimensions: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise ValueError(f"{self.dimensions} dimensions hold nothing: give 1 or more, such as 256")

    @property
    def name(self) -> str:
        """What tells its vectors from those of others."""
        return f"hashing/{self.dimensions}/{self.seed}"

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Encode texts.

        Parameters
        ----------
        texts
            Length n.

        Returns
        -------
        Matrix
            Shape (n, dimensions), of length 1 each; zeros where there is nothing to hash.
        """
        parts = [self._encode(texts[block]) for block in blocks(texts)]
        return np.concatenate(parts)

    def _encode(self, texts: Sequence[str]) -> Matrix:
        characters = Characters.of(texts)
        sums = sum((_unit(self._bucketed(tokens)) for tokens in _families(characters)), np.zeros(()))
        return _unit(np.broadcast_to(sums, (len(texts), self.dimensions))).astype(np.float32)

    def _bucketed(self, tokens: Tokens) -> NDArray[np.float64]:
        different, times = tokens.distinct()
        seed = mix(np.array([self.seed], np.int64).astype(np.uint64) + np.uint64(1))
        drawn = mix(different.hashes ^ seed)
        place = different.row * self.dimensions + ((drawn >> np.uint64(1)) % np.uint64(self.dimensions)).astype(np.intp)
        weight = np.where(drawn & np.uint64(1), 1.0, -1.0) * (1.0 + np.log(times))
        sums = np.bincount(place, weight, minlength=tokens.texts * self.dimensions)
        return np.asarray(sums.reshape(tokens.texts, self.dimensions), np.float64)


def _families(characters: Characters) -> Iterator[Tokens]:
    words = words_of(characters)
    yield from (words, words.runs(2), character_runs(characters, _CHARACTERS))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)
