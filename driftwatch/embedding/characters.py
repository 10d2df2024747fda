"""What each character of a text is: a letter of which script, a digit, a space, or what no reader should ever see."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEAD, TAIL = 12_000, 4_000
"""Of a longer text only so many characters at its beginning and at its end are looked at."""

ROWS = 1 << 16
"""So many texts at most are looked at together."""
_BLOCK = 1 << 17  # characters that are looked at together: 10 MB of memory

UNKNOWN, SPACE, BROKEN, OTHER, DIGIT, MARK = range(6)
SPACED = (
    *("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC", "ETHIOPIC", "HANGUL"),
    *("DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA"),
    "FURTHER",
)
UNSPACED = ("CJK", "KANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")  # these put no spaces between words
_SCRIPT = {name: MARK + 1 + k for k, name in enumerate((*SPACED, *UNSPACED))}
_SCRIPT |= dict.fromkeys(("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"), _SCRIPT["KANA"])
_SCRIPT |= {"IDEOGRAPHIC": _SCRIPT["CJK"], "MODIFIER": MARK}
LATIN, ALONE, CLASSES = _SCRIPT["LATIN"], _SCRIPT["CJK"], _SCRIPT["TIBETAN"] + 1
"""The first class of letters, the first whose letters count as words of their own, and how many classes there are."""

_TABLE = np.zeros(0x110000, np.uint8)  # UNKNOWN until a character is met: naming all of them takes a second


def class_of(character: str) -> int:
    r"""Classify one character.

    Control characters other than tab and line ends, lone surrogates, private use and U+FFFD are broken: they
    are what a wrong decoder or a wrong token leaves behind.

    Examples
    --------
    >>> class_of("é") == LATIN, class_of("字") == ALONE, class_of("\x00") == BROKEN
    (True, True, True)
    """
    category = unicodedata.category(character)
    if category[0] == "Z" or character in "\t\n\r":
        return SPACE
    if category in ("Cc", "Co", "Cs") or character == "\ufffd":
        return BROKEN
    if category[0] == "L":
        plain = unicodedata.normalize("NFKC", character)[0]  # a full-width letter is of the script of the usual one
        return _SCRIPT.get(unicodedata.name(plain, "").partition(" ")[0], _SCRIPT["FURTHER"])
    return {"N": DIGIT, "M": MARK}.get(category[0], OTHER)


def classes_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Classify code points.

    Examples
    --------
    >>> classes_of(np.array([32, 55], np.uint32)).tolist() == [SPACE, DIGIT]
    True
    """
    classes = _TABLE[codes]
    if classes.all():
        return classes
    unknown = np.unique(codes[classes == UNKNOWN])
    _TABLE[unknown] = [class_of(chr(code)) for code in unknown.tolist()]
    return _TABLE[codes]


def seen(text: str) -> str:
    """Leave out the middle of a text of more than `HEAD` + `TAIL` characters.

    Examples
    --------
    >>> seen("a short one"), len(seen("ab" * 1_000_000))
    ('a short one', 16001)
    """
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def blocks(*columns: Sequence[str | None]) -> Iterator[slice]:
    """Cut columns of texts into blocks that can be looked at together; one at least, which may be empty.

    Examples
    --------
    >>> list(blocks(["a" * 99_999, "b" * 99_999] * 6))
    [slice(0, 8, None), slice(8, 12, None)]
    """
    first = size = 0
    for row, texts in enumerate(zip(*columns, strict=True)):
        more = sum(min(len(text or ""), HEAD + TAIL) for text in texts)
        if row > first and (size + more > _BLOCK or row - first == ROWS):
            yield slice(first, row)
            first, size = row, 0
        size += more
    yield slice(first, len(columns[0]))


@dataclass(frozen=True, slots=True)
class Characters:
    """The characters of several texts in lower case, one text after another.

    Parameters
    ----------
    codes
        Shape (m,): code points.
    classes
        Shape (m,): what they are (`class_of`).
    row
        Shape (m,): the text that each belongs to, ascending.
    length
        Shape (texts,): how many characters each text has.
    """

    codes: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    row: NDArray[np.intp]
    length: NDArray[np.intp]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """Read texts; of a long one its beginning and its end.

        Examples
        --------
        >>> Characters.of(["Hi", "", "7"]).row.tolist()
        [0, 0, 2]
        """
        lower = [seen(text).lower() for text in texts]
        codes = np.frombuffer("".join(lower).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32, copy=False)
        length = np.fromiter(map(len, lower), np.intp, len(lower))
        return cls(codes, classes_of(codes), np.repeat(np.arange(len(lower)), length), length)

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return len(self.length)

    def counts(self) -> NDArray[np.float64]:
        """Count the characters of each text by class: shape (texts, CLASSES)."""
        cells = np.bincount(self.row * CLASSES + self.classes, minlength=self.texts * CLASSES)
        return cells.reshape(self.texts, CLASSES).astype(np.float64)
