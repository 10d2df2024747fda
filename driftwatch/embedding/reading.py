"""Texts → answers: what is kept of a batch's texts, which is numbers; the texts are let go here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.config import Text
from driftwatch.embedding.budget import Sampler
from driftwatch.embedding.hashing import HashingEncoder
from driftwatch.embedding.projection import shortened
from driftwatch.embedding.protocol import Encoder, Matrix, vectors_of
from driftwatch.embedding.sentences import SentenceEncoder
from driftwatch.embedding.text import MARKS, SIGNALS, Features, features
from driftwatch.events.columns import Coded, Requests
from driftwatch.events.texts import EXCERPT_BYTES, ID_BYTES, NOT_READ, Answers, Objects, Texts

COUNTS = ("characters", "words", "lines", "asked_characters", "asked_words", "asked_lines", *MARKS)
"""Features that are whole numbers; the others are shares, in 1/2**20."""
UNITS = np.array([1.0 if name in COUNTS else 2.0**-20 for name in SIGNALS])
"""Shape (f,): what one step of each feature is worth."""
LENGTH_ONE = 127
"""A vector of length one, in fixed point: what a byte cannot tell apart is far less than what answers differ by."""


class TextReader:
    """Reads the texts of batches.

    Parameters
    ----------
    settings
        Which encoder, and its budget.

    Examples
    --------
    >>> from driftwatch.events.columns import requests_of
    >>> texts = Texts.of(2, prompt=["Why?", None], response=["Because it is so.", None])
    >>> read = TextReader(Text(dimensions=64)).read(requests_of(2, completed_at=np.arange(2.0), texts=texts))
    >>> read.texts is None, read.answers.response.shape, read.answers.read().tolist()
    (True, (2, 64), [True, False])
    """

    def __init__(self, settings: Text) -> None:
        self.settings = settings
        self.sampler = Sampler(settings.documents_per_s) if settings.documents_per_s else None
        self.encoder: Encoder | None = None
        self.widths: dict[str, int] = {}
        self.refused: Counter[str] = Counter()

    def keep(self) -> dict[str, Any]:
        """What it knows of the vectors that were brought, and of the budget."""
        sampler = self.sampler.known() if self.sampler is not None else None
        return {"widths": dict(self.widths), "refused": dict(self.refused), "sampler": sampler}

    def take(self, state: Mapping[str, Any]) -> None:
        """The inverse of `keep`."""
        self.widths, self.refused = dict(state["widths"]), Counter(state["refused"])
        if self.sampler is not None and state.get("sampler") is not None:
            self.sampler.go_on(state["sampler"])

    def read(self, requests: Requests) -> Requests:
        """The same requests with answers instead of texts."""
        texts = requests.texts
        if texts is None:
            return requests
        if not self.settings.read:
            return replace(requests, texts=None)
        return replace(requests, texts=None, answers=self._answers(requests, texts))

    def _answers(self, requests: Requests, texts: Texts) -> Answers:
        found = features(_strings(texts.prompt), _strings(texts.response))
        chosen = self._chosen(requests, texts)
        return Answers(
            name=_bytes(texts.name, ID_BYTES),
            excerpt=_bytes(texts.response, EXCERPT_BYTES if self.settings.keep_text else 0),
            features=fixed(found),
            terms=found.terms,
            asked_terms=found.asked_terms,
            prompt_hash=found.prompt,
            sketch=found.sketches,
            prompt=self._vectors("prompt", texts.prompt, texts.prompt_vector, chosen),
            response=self._vectors("response", texts.response, texts.response_vector, chosen),
        )

    def _chosen(self, requests: Requests, texts: Texts) -> NDArray[np.bool_]:
        """Which rows are encoded, where the budget does not allow all."""
        if self.sampler is None:
            return np.ones(len(requests), np.bool_)
        streams = requests.labels.get("model", Coded.constant(None, len(requests)))
        return self.sampler.take(requests.at, streams, requests.id_hash)

    def _vectors(self, which: str, texts: Objects, brought: Objects, chosen: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Vectors in fixed point: those that were brought, else those of the encoder; one kind in all batches."""
        if any(vector is not None for vector in brought):
            found = vectors_of(list(brought), len(brought), self.widths.get(f"{which} brought"))
            self.widths.setdefault(f"{which} brought", found.matrix.shape[1])
            self.refused.update({f"{which} vector: {reason}": n for reason, n in found.refused.items()})
            return _fixed_vectors(shortened(found.matrix))
        rows = np.flatnonzero(chosen & np.array([text is not None and text != "" for text in texts], np.bool_))
        encoder = self._encoder()
        if encoder is None or f"{which} brought" in self.widths:
            return np.zeros((len(texts), 0), np.int8)
        matrix = np.zeros((len(texts), encoder.dimensions), np.float32)
        if len(rows):
            matrix[rows] = encoder.encode([texts[row] for row in rows])
        return _fixed_vectors(shortened(matrix))

    def _encoder(self) -> Encoder | None:
        name = self.settings.encoder
        if self.encoder is None and name != "none":
            hashing = name == "hashing"
            self.encoder = (
                HashingEncoder(self.settings.dimensions) if hashing else SentenceEncoder(name, self.settings.device)
            )
        return self.encoder


def fixed(found: Features) -> NDArray[np.int32]:
    """Features in fixed point, shape (n, f)."""
    columns = found.columns()
    values = np.stack([columns[name] for name in SIGNALS], axis=1) / UNITS
    known = np.isfinite(values)
    return np.where(known, np.clip(np.rint(np.where(known, values, 0.0)), 0, 2**31 - 2), NOT_READ).astype(np.int32)


def measured(answers: Answers) -> Mapping[str, NDArray[np.float64]]:
    """The inverse of `fixed`: features by name, NaN where not known."""
    values = np.where(answers.features == NOT_READ, np.nan, answers.features * UNITS)
    return dict(zip(SIGNALS, values.T, strict=True))


def _fixed_vectors(matrix: Matrix) -> NDArray[np.int8]:
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 0)
    unit = np.where(usable, matrix / np.where(usable, length, 1.0), 0.0)
    return np.asarray(np.rint(unit * LENGTH_ONE), np.int8)


def _strings(column: Objects) -> Sequence[str | None]:
    return [value if isinstance(value, str) else None for value in column]


def _bytes(column: Objects, most: int) -> NDArray[np.bytes_]:
    """The beginnings of strings, of so many bytes each."""
    if not most:
        return np.zeros(len(column), "S1")
    cut = [b"" if v is None else str(v)[:most].encode("utf-8", "replace")[:most] for v in column]
    return np.array(cut, f"S{most}")
