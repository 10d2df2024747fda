"""Cheap features of a response and its prompt: what goes wrong in text without any model to read it.

All are two-sided signals: twice as long or half as long, more refusals or fewer. Of a text of more than
`HEAD` + `TAIL` characters (`driftwatch.embedding.characters`) only those at its beginning and its end are looked at, so
that no text takes long (all of it is searched for code fences, at the speed of memory).
Nothing of a text is kept: columns of numbers leave here, and hashes (`driftwatch.embedding.duplicates`).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.characters import BROKEN, DIGIT, LATIN, OTHER, Characters, blocks, seen
from driftwatch.embedding.duplicates import Sketches, sketch
from driftwatch.embedding.endings import cut_off
from driftwatch.embedding.openings import refuses
from driftwatch.embedding.phrases import phrases_in
from driftwatch.embedding.words import Tokens, words_of
from driftwatch.events.columns import Floats
from driftwatch.events.identity import Hashes, mix

_RUN = 4  # words
_BREAK = ord("\n")
_PREFIX = 1024  # bytes that are compressed
_ORDINARY = (2.0, 0.8)  # ordinary English prose of n bytes deflates to about 2 n^0.8 bytes, 30 <= n <= 1024
MARKS = {
    **{"asterisks": "*", "hashes": "#", "dashes": "-", "colons": ":", "commas": ",", "stops": ".", "brackets": "("},
    **{"quotes": '"', "apostrophes": "'", "exclamations": "!", "questions": "?", "backticks": "`", "bars": "|"},
}
"""Marks that are counted, by name: how an answer is laid out."""
_LAST = np.uint64(2**64 - 1)  # a key that no token has but once in 10^14
_PROMPTED = 0.1  # a script belongs to the prompt if it writes this share of its letters


@dataclass(frozen=True, slots=True)
class Features:
    """Features of responses, a row each; NaN where not known.

    Those of the response but the first two are NaN where it is empty or unknown, and ``foreign`` and ``echo`` where
    the prompt is unknown too.

    Parameters
    ----------
    characters, words
        Shape (n,). Words are runs of letters and digits; in scripts without spaces each letter is one. Those of a long
        text are counted where it is looked at, and scaled to its length.
    compressibility
        Shape (n,): the size of the first kilobyte of UTF-8, deflated, over that of ordinary English prose *of the same
        length* (a longer text deflates better, so a plain ratio would mostly measure length). About 1 for prose, less
        for loops, more for noise and for other scripts.
    repeated
        Shape (n,): the share of runs of four words that were in the response before; NaN if it has fewer words.
    foreign
        Shape (n,): the share of letters in scripts that are not the prompt's; NaN where either has no letters.
    non_latin
        Shape (n,): the share of letters that are not Latin; NaN where there are none.
    broken
        Shape (n,): the share of control characters (less tab and line ends), U+FFFD, lone surrogates and private use.
    refusal
        Shape (n,): 1 where the response opens like a refusal, else 0.
    truncated
        Shape (n,): 1 where the response looks cut off, else 0.
    echo
        Shape (n,): the share of runs of four words that are in the prompt; NaN if the response has fewer words.
    dominance
        Shape (n,): the share of the most common character that is neither letter nor space.
    lines
        Shape (n,): line breaks.
    symbols, digits
        Shape (n,): the share of characters that are neither letters, digits nor spaces, and of digits.
    marks
        Shape (n, 13): how often each of `MARKS` is there.
    asked_characters, asked_words, asked_lines, asked_symbols, asked_digits, asked_non_latin
        Shape (n,): the same of the prompt.
    prompt
        Shape (n,): a hash of the prompt, 0 where unknown.
    terms, asked_terms
        Shape (n, t): which phrases of a public list the response and the prompt have
        (`driftwatch.embedding.phrases`).
    sketches
        Shape (n, SKETCH): hashes of the response for `driftwatch.embedding.NearDuplicates`.
    """

    characters: Floats
    words: Floats
    compressibility: Floats
    repeated: Floats
    foreign: Floats
    non_latin: Floats
    broken: Floats
    refusal: Floats
    truncated: Floats
    echo: Floats
    dominance: Floats
    lines: Floats
    symbols: Floats
    digits: Floats
    marks: Floats
    asked_characters: Floats
    asked_words: Floats
    asked_lines: Floats
    asked_symbols: Floats
    asked_digits: Floats
    asked_non_latin: Floats
    prompt: Hashes
    terms: NDArray[np.uint8]
    asked_terms: NDArray[np.uint8]
    sketches: Sketches

    def __len__(self) -> int:
        return len(self.characters)

    def columns(self) -> dict[str, Floats]:
        """Give the features by name, without the hashes."""
        marks = dict(zip(MARKS, self.marks.T, strict=True))
        return {name: marks[name] if name in MARKS else getattr(self, name) for name in SIGNALS}


_HASHED = ("prompt", "terms", "asked_terms", "sketches")
SIGNALS: tuple[str, ...] = (*(f.name for f in fields(Features) if f.name not in (*_HASHED, "marks")), *MARKS)
"""The names of the features, in order."""


def features(prompts: Sequence[str | None], responses: Sequence[str | None]) -> Features:
    r"""Take the features of responses, given their prompts.

    Parameters
    ----------
    prompts, responses
        Length n; None where unknown. Any string will do: empty, huge, or with lone surrogates.

    Returns
    -------
    Features
        A row depends on its own prompt and response alone.

    Raises
    ------
    ValueError
        If there are not as many prompts as responses.

    Examples
    --------
    >>> found = features(["Why is the sky blue?", None], ["I'm sorry, but I cannot say", "\ufffd" * 8])
    >>> found.words.tolist(), found.refusal.tolist(), found.broken.tolist()
    ([7.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    """
    if len(prompts) != len(responses):
        raise ValueError(f"{len(prompts)} prompts and {len(responses)} responses: give a prompt (or None) for each")
    parts = [_features(prompts[block], responses[block]) for block in blocks(prompts, responses)]
    return Features(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Features)))


def _features(prompts: Sequence[str | None], responses: Sequence[str | None]) -> Features:
    texts = [response or "" for response in responses]
    prompted, answered = Characters.of([prompt or "" for prompt in prompts]), Characters.of(texts)
    asked, said = words_of(prompted), words_of(answered)
    known = np.array([prompt is not None for prompt in prompts], np.bool_)
    empty = np.array([not text for text in texts], np.bool_)
    counts = answered.counts()
    runs = said.runs(_RUN)
    different, _ = runs.distinct()
    of_prompt = {f"asked_{name}": column for name, column in _shape(prompts, prompted, asked).items()}
    return Features(
        **_shape(responses, answered, said),
        compressibility=np.array([_compressibility(text) for text in texts], np.float64),
        repeated=1.0 - _share(different.counts(), runs.counts()),
        foreign=_foreign(prompted.counts()[:, LATIN:], counts[:, LATIN:]),
        broken=_share(counts[:, BROKEN], counts.sum(axis=1), empty),
        refusal=np.where(empty, np.nan, [refuses(text) for text in texts]),
        truncated=np.where(empty, np.nan, [cut_off(text) for text in texts]),
        echo=_share(_shared(runs, asked.runs(_RUN)), runs.counts(), ~known),
        dominance=_share(_most_common(answered), counts.sum(axis=1), empty),
        marks=np.where(empty[:, None], np.nan, _marks(answered)),
        **of_prompt,
        prompt=np.array([_hash(prompt) for prompt in prompts], np.uint64),
        terms=phrases_in(said),
        asked_terms=phrases_in(asked),
        sketches=sketch(said),
    )


def _shape(texts: Sequence[str | None], characters: Characters, words: Tokens) -> dict[str, Floats]:
    """How long texts are, and what they are made of; lengths of what is not known are NaN."""
    counts = characters.counts()
    looked, letters = counts.sum(axis=1), counts[:, LATIN:].sum(axis=1)
    length = np.array([np.nan if text is None else len(text) for text in texts], np.float64)
    whole = np.maximum(length / np.maximum(looked, 1.0), 1.0)
    lines = np.bincount(characters.row[characters.codes == _BREAK], minlength=characters.texts)
    return {
        "characters": length,
        "words": words.counts() * whole,
        "lines": lines * whole,
        "symbols": _share(counts[:, OTHER], looked),
        "digits": _share(counts[:, DIGIT], looked),
        "non_latin": _share(counts[:, LATIN + 1 :].sum(axis=1), letters),
    }


def _marks(characters: Characters) -> Floats:
    """How often each mark is there, shape (texts, marks)."""
    place = np.full(128, -1)
    place[[ord(mark) for mark in MARKS.values()]] = np.arange(len(MARKS))
    found = np.flatnonzero((characters.codes < 128) & (characters.classes == OTHER))
    mark = place[characters.codes[found]]
    found, mark = found[mark >= 0], mark[mark >= 0]
    counts = np.bincount(characters.row[found] * len(MARKS) + mark, minlength=characters.texts * len(MARKS))
    return counts.reshape(characters.texts, len(MARKS)).astype(np.float64)


def _share(
    part: NDArray[np.float64 | np.intp], whole: NDArray[np.float64 | np.intp], unknown: NDArray[np.bool_] | bool = False
) -> Floats:
    known = (whole > 0) & ~np.asarray(unknown)
    return np.where(known, part / np.maximum(whole, 1), np.nan)


def _foreign(prompt: Floats, response: Floats) -> Floats:
    """The share of a response's letters in scripts that write little of its prompt; both count letters by script."""
    asked = prompt.sum(axis=1)
    own = prompt >= _PROMPTED * asked[:, None]
    return _share(np.where(own, 0.0, response).sum(axis=1), response.sum(axis=1), asked == 0)


def _compressibility(text: str) -> float:
    """Deflated size over that of ordinary prose of the same length."""
    data = text[:_PREFIX].encode("utf-8", "surrogatepass")[:_PREFIX]
    if not data:
        return np.nan
    deflate = zlib.compressobj(1, wbits=-15)  # no header: it would weigh on short texts
    size = len(deflate.compress(data)) + len(deflate.flush())
    factor, power = _ORDINARY
    return float(size / (factor * len(data) ** power))


def _shared(tokens: Tokens, others: Tokens) -> NDArray[np.intp]:
    """How many tokens of each text are among the others of the same row."""
    keys, known = tokens.keys(), np.append(np.sort(others.keys()), _LAST)
    return np.bincount(tokens.row[known[np.searchsorted(known, keys)] == keys], minlength=tokens.texts)


def _most_common(characters: Characters) -> NDArray[np.intp]:
    """How often each text has its most common character that is neither letter nor space."""
    symbols = (characters.classes >= BROKEN) & (characters.classes <= DIGIT)
    row = characters.row[symbols]
    found, times = Tokens(mix(characters.codes[symbols].astype(np.uint64)), row, characters.texts).distinct()
    most = np.zeros(characters.texts, np.intp)
    np.maximum.at(most, found.row, times)
    return most


def _hash(prompt: str | None) -> int:
    """A hash of what is looked at of a prompt and of its length; 0 where there is none."""
    if prompt is None:
        return 0
    looked = f"{len(prompt)}|{seen(prompt)}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(looked, digest_size=8).digest(), "little") or 1
