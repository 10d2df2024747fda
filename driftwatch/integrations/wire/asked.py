"""What a request body asks for: the model, and the text of the prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json

_MODEL = re.compile(rb'"model"\s*:\s*"((?:[^"\\\x00-\x1f]){1,200})"')
_LOOKED_AT = 4096  # bytes at either end: a key is first or last, between them lie the messages


def model_of(body: bytes) -> str | None:
    r"""The model that a body names, without parsing all of it; None where it is not near either end.

    Inside a JSON string a quote has a backslash before it, so text that looks like a key is none.

    Examples
    --------
    >>> model_of(b'{"model": "m", "messages": []}'), model_of(b'{"prompt": "\\"model\\": \\"x\\""}')
    ('m', None)
    """
    found = _MODEL.search(body, 0, _LOOKED_AT)
    if found is None and len(body) > _LOOKED_AT:
        found = _MODEL.search(body, max(len(body) - _LOOKED_AT, _LOOKED_AT - 256))
    return found[1].decode(errors="replace") if found else None


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
