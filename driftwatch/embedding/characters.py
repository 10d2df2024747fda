"""What each character of a text is: a letter of which script, a digit, a space, or what no reader should ever see."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEAD, TAIL = 12_000, 4_000
"""Of a longer text only so many characters at its beginning and at its end are looked at."""

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
    unknown = np.unique(codes[classes == UNKNOWN])
    if len(unknown):
        _TABLE[unknown] = [class_of(chr(code)) for code in unknown.tolist()]
        classes = _TABLE[codes]
    return classes


def seen(text: str) -> str:
    """Leave out the middle of a text of more than `HEAD` + `TAIL` characters.

    Examples
    --------
    >>> seen("a short one"), len(seen("ab" * 1_000_000))
    ('a short one', 16001)
    """
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


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
    texts
        How many texts there are.
    """

    codes: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    row: NDArray[np.intp]
    texts: int

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
        row = np.repeat(np.arange(len(lower)), np.fromiter(map(len, lower), np.intp, len(lower)))
        return cls(codes, classes_of(codes), row, len(lower))

    def counts(self) -> NDArray[np.float64]:
        """Count the characters of each text by class: shape (texts, CLASSES)."""
        cells = np.bincount(self.row * CLASSES + self.classes, minlength=self.texts * CLASSES)
        return cells.reshape(self.texts, CLASSES).astype(np.float64)
