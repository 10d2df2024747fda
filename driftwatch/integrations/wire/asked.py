"""What a request body asks for: the model, and the text of the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json

_FIRST = re.compile(rb'\s*\{\s*"model"\s*:\s*"((?:[^"\\\x00-\x1f]){1,200})"')
_MOST_WORD = 200


def model_of(body: bytes) -> str | None:
    r"""The model that a body names; None where it names none.

    A body is parsed whole: that takes less than a microsecond a kilobyte, a search that could not be misled as long.
    Of a body that the parser refuses, because it was cut or is broken, counts what it begins with.

    Examples
    --------
    >>> model_of(b'{"metadata": {"model": "x"}, "model": "m"}'), model_of(b'{"prompt": "\\"model\\": \\"x\\""}')
    ('m', None)
    >>> model_of(b'{"model": "m", "messages": [')
    'm'
    """
    try:
        asked = from_json(body)
    except ValueError:
        found = _FIRST.match(body)
        return found[1].decode(errors="replace") if found else None
    model = asked.get("model") if isinstance(asked, dict) else None
    return model if isinstance(model, str) and 0 < len(model) <= _MOST_WORD else None


def prompt_of(body: bytes) -> str | None:
    """The text of a prompt: the messages' contents, or the prompt, joined by lines.

    Examples
    --------
    >>> prompt_of(b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}')
    'Hi'
    """
    try:
        asked = from_json(body)
    except ValueError:
        return None
    if not isinstance(asked, Mapping):
        return None
    return "\n".join(texts_of(asked.get("messages") or asked.get("input") or asked.get("prompt"))) or None


def texts_of(content: Any, depth: int = 6) -> Iterable[str]:
    """Every text within a message's content; pictures, ids and token numbers are left out."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple) and depth:
        for part in content:
            yield from texts_of(part, depth - 1)
    elif isinstance(content, Mapping) and depth:
        for name in ("content", "text"):
            yield from texts_of(content.get(name), depth - 1)
