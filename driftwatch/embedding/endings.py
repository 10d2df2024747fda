"""Whether a response ends where its sentence ends, or was cut off."""

from __future__ import annotations

import re
import unicodedata

_SENTENCE = frozenset(".!?…‽。．！？｡؟۔।॥։።၊။៕๚¶")
_CLOSED = frozenset(
    ")]}>\"'`*_|~$”’»›」』）】》〉］｝"
)  # brackets, quotes, emphasis, the end of a table's row or a formula
_ITEM = re.compile(r"(?:[-*+•·–—]|#{1,6}|>|\(?\w{1,3}[.):、])[ \t]+\S")  # a list item or a heading needs no full stop
_SHORT = 32  # characters: "Paris", "42 km" are whole answers
_FENCE = "```"
_LINE = 400  # characters of the last line that are looked at


def cut_off(response: str) -> bool:
    r"""Tell whether a response looks cut off.

    It is if a code fence was left open, or if it ends neither with a sentence, a closed bracket or quote, a symbol such
    as an emoji, a code fence, nor within a list item, a heading, or a single short line. A list item that ends in a
    comma or a colon is cut off.

    Examples
    --------
    >>> cut_off("The answer is 42."), cut_off("The answer to this question of life is"), cut_off("Paris")
    (False, True, False)
    >>> cut_off("Run this:\n```\nls"), cut_off("Two things:\n- bread\n- butter")
    (True, False)
    """
    text = response.rstrip()
    if not text:
        return False
    if text.count(_FENCE) % 2:
        return True
    last = text[-1]
    if last in _SENTENCE or last in _CLOSED or unicodedata.category(last) in ("So", "Mn", "Cf"):
        return False
    if last in ",:;，：；、-":
        return True
    line = text[-_LINE:].rpartition("\n")[2].lstrip()
    return not (_ITEM.match(line) or len(text) <= _SHORT)
