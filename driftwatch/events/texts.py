"""What requests say: texts on their way in, and what was read off them, which is numbers only.

A text is held from its reader to the engine, which reads it and lets it go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.state import saved

Objects = NDArray[np.object_]

_SAYS = ("content", "text", "parts", "message", "value", "delta")
NOT_READ = np.iinfo(np.int32).min
"""A feature that is not known."""
ID_BYTES = 48
"""So much of a request id is kept, to name examples."""
EXCERPT_BYTES = 600
"""So much of an answer is kept as an example, where its user asked for examples."""


def objects(values: Iterable[Any]) -> Objects:
    """A column of anything; numpy would make an array of several axes out of lists.

    Examples
    --------
    >>> objects([[1.0, 2.0], None]).shape
    (2,)
    """
    listed = list(values)
    column = np.empty(len(listed), object)
    column[:] = listed
    return column


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts and vectors of requests, a row each; None where there is none.

    Parameters
    ----------
    prompt, response
        Shape (n,): strings.
    prompt_vector, response_vector
        Shape (n,): vectors that the caller brought, as they came.
    name
        Shape (n,): request ids, as strings.
    """

    prompt: Objects
    response: Objects
    prompt_vector: Objects
    response_vector: Objects
    name: Objects

    @classmethod
    def of(cls, n: int, **columns: Iterable[Any] | None) -> Texts:
        """Texts from the columns at hand; the others are missing.

        Examples
        --------
        >>> Texts.of(2, response=["Yes.", None]).prompt.tolist()
        [None, None]
        """
        given = {f.name: columns.get(f.name) for f in fields(cls)}
        return cls(**{name: objects([None] * n if column is None else column) for name, column in given.items()})

    def __len__(self) -> int:
        return len(self.response)

    @property
    def silent(self) -> bool:
        """Whether there is nothing to read."""
        return not any(any(v is not None for v in getattr(self, name)) for name in _READ)

    def take(self, rows: NDArray[Any] | slice) -> Texts:
        """Keep these rows."""
        return Texts(*(getattr(self, f.name)[rows] for f in fields(self)))


_READ = ("response", "prompt", "response_vector", "prompt_vector")


@saved
@dataclass(frozen=True, slots=True)
class Answers:
    """What was read off the texts of requests, a row each, as integers: sums and order leave no trace.

    Parameters
    ----------
    name
        Shape (n,): the request id, as far as it fits.
    excerpt
        Shape (n,): the beginning of the answer, in UTF-8; empty unless texts may be kept.
    features
        Shape (n, f), int32: cheap features in fixed point; `NOT_READ` where not known.
    terms, asked_terms
        Shape (n, t), uint8: which phrases of a public list the response and the prompt have, a bit each.
    prompt_hash
        Shape (n,), uint64: 0 where the prompt is not known.
    sketch
        Shape (n, 32), uint32: of the response, for near-duplicates.
    prompt, response
        Shape (n, p) and (n, r), int8: vectors of length one in fixed point; zeros where there is none.
    """

    name: NDArray[np.bytes_]
    excerpt: NDArray[np.bytes_]
    features: NDArray[np.int32]
    terms: NDArray[np.uint8]
    asked_terms: NDArray[np.uint8]
    prompt_hash: NDArray[np.uint64]
    sketch: NDArray[np.uint32]
    prompt: NDArray[np.int8]
    response: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.name)

    def take(self, rows: NDArray[Any] | slice) -> Answers:
        """Keep these rows."""
        return Answers(*(getattr(self, f.name)[rows] for f in fields(self)))

    def read(self) -> NDArray[np.bool_]:
        """Which rows have anything that was read, shape (n,)."""
        return np.asarray((self.features != NOT_READ).any(axis=1) | self.response.any(axis=1) | self.prompt.any(axis=1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as plain arrays."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def join_texts(parts: Sequence[tuple[Texts | None, int]]) -> Texts | None:
    """Texts of batches that follow one another, each with its number of rows; None where none has any."""
    if all(texts is None for texts, _ in parts):
        return None
    every = [Texts.of(n) if texts is None else texts for texts, n in parts]
    return Texts(*(np.concatenate([getattr(t, f.name) for t in every]) for f in fields(Texts)))


def join_answers(parts: Sequence[tuple[Answers | None, int]]) -> Answers | None:
    """As `join_texts`; vectors of fewer dimensions than the longest are missing.

    Examples
    --------
    >>> join_answers([(None, 2), (None, 1)]) is None
    True
    """
    known = [answers for answers, _ in parts if answers is not None]
    if not known:
        return None
    columns = {f.name: [_column(a, n, f.name, known) for a, n in parts] for f in fields(Answers)}
    return Answers(**{name: np.concatenate(column) for name, column in columns.items()})


def _column(answers: Answers | None, n: int, name: str, known: Sequence[Answers]) -> NDArray[Any]:
    """One column of a batch as wide as in the others; what has another width is missing."""
    wide = max(getattr(a, name).shape[1:] for a in known)
    if answers is not None and getattr(answers, name).shape[1:] == wide:
        return np.asarray(getattr(answers, name))
    missing, dtype = NOT_READ if name == "features" else 0, getattr(known[0], name).dtype
    return np.full((n, *wide), missing, dtype) if dtype.kind != "S" else np.zeros(n, dtype)


def text_of(value: Any) -> str | None:
    r"""What a value says: a string, the contents of chat messages, or nothing.

    Examples
    --------
    >>> text_of([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": [{"text": "So."}]}])
    'Why?\nSo.'
    >>> text_of('[{"role": "user", "content": "Why?"}]'), text_of(None)
    ('Why?', None)
    """
    if isinstance(value, str):
        return _written(value)
    if isinstance(value, Mapping):
        return next((said for key in _SAYS if (said := text_of(value.get(key))) is not None), None)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        parts = [part for part in map(text_of, value) if part is not None]
        return "\n".join(parts) if parts else None
    return None


def _written(value: str) -> str:
    """A string that holds messages as JSON is what they say; any other string is itself."""
    if not value.startswith(("[{", '{"')) or not any(f'"{key}"' in value for key in _SAYS):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    said = text_of(parsed)
    return value if said is None else said
