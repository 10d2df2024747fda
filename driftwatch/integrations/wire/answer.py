"""What an answer says about itself: model, tokens, when the first came, why it ended.

Understands the bodies and the stream events of the OpenAI API: chat completions, completions and responses, of any
server that speaks them. Every field may be missing or of another type than it should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from pydantic_core import from_json

from driftwatch.integrations.wire.asked import texts_of

_TEXTS = frozenset({"content", "reasoning_content", "reasoning", "text", "refusal"})
_CALLS = frozenset({"tool_calls", "function_call"})
_KINDS = _TEXTS | _CALLS
_STATUS = {"completed": "stop", "failed": "error", "cancelled": "abort"}
_MOST_TEXT = 1 << 18  # characters of an answer that are kept
_MOST_TOKENS = 10**9
_MOST_WORD = 200

Get = Callable[..., Any]


@dataclass(slots=True)
class Answer:
    """One answer, filled event by event or at once.

    Parameters
    ----------
    keep_text
        Keep what was answered, too.

    Attributes
    ----------
    id, model, finish_reason, error
        As the answer says.
    prompt_tokens, output_tokens, cached_tokens
        From its ``usage``, where it has one.
    chunks
        Stream events that held text: how many tokens there were, about, where there is no ``usage``.
    first_at, last_at
        When the first and the last of those came, in the caller's seconds.

    Examples
    --------
    >>> answer = Answer()
    >>> answer.event(b'{"model":"m","choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}', 1.0)
    >>> answer.event(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', 1.5)
    >>> answer.event(b"[DONE]", 1.5)
    >>> answer.model, answer.finish_reason, answer.chunks, answer.first_at
    ('m', 'stop', 1, 1.0)
    """

    keep_text: bool = False
    id: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    chunks: int = 0
    first_at: float | None = None
    last_at: float | None = None
    _texts: list[str] = field(default_factory=list)
    _length: int = 0

    def event(self, data: bytes, at: float) -> None:
        """Take the data of one stream event, which came at this time."""
        said = _parsed(data)
        if said is not None:
            self.part(said, at)

    def part(self, said: Any, at: float) -> None:
        """Take one stream event as a dict or an object."""
        get = _getter(said)
        texts: list[str] = []
        for choice in _some(get("choices")):
            texts += _texts_in(_get(choice, "delta") or choice)
            self._finished(_get(choice, "finish_reason"))
        if kind := get("type"):
            texts += _text_of_a_response(kind, get("delta"))
        if texts:
            self.said(texts, at)
        self._facts(get)

    def usual(self, found: re.Match[bytes], at: float) -> None:
        """Take one of the usual stream events, but not its text."""
        id, model, text, content, reason, prompt, output, cached = found.groups()
        if self.id is None:
            self.id = id.decode()
        if self.model is None:
            self.model = model.decode()
        if text or content:
            self.said((), at)
        if reason is not None:
            self.finish_reason = reason.decode()
        if output is not None:
            self.prompt_tokens, self.output_tokens = int(prompt), int(output)
            if cached is not None:
                self.cached_tokens = int(cached)

    def names(self, data: bytes) -> None:
        """Take from the data of a stream event whose answer it is, and nothing else."""
        said = _parsed(data)
        if said is not None:
            self.id = self.id or _word(_get(said, "id"))
            self.model = self.model or _word(_get(said, "model"))

    def said(self, texts: Iterable[str], at: float) -> None:
        """Take new text, which came at this time."""
        self.chunks += 1
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if self.last_at is None or at > self.last_at:
            self.last_at = at
        if self.keep_text:
            self._keep(texts)

    def whole(self, said: Any) -> None:
        """Take an answer that came at once, as bytes, a dict or an object."""
        said = _parsed(said) if isinstance(said, bytes) else said
        if said is None:
            return
        for choice in _some(_get(said, "choices")):
            self._finished(_get(choice, "finish_reason"))
        self._facts(_getter(said))
        if self.keep_text:
            self._keep(_whole_texts(said))

    @property
    def text(self) -> str | None:
        """What was answered; None where it is not kept or there is nothing."""
        return "".join(self._texts) or None

    def measured(self) -> dict[str, Any]:
        """What was found, under the names of `driftwatch.Monitor.request`; what is not known is left out.

        ``output_tokens`` is the usage's, or else the number of chunks, and then the label ``tokens_by`` says so.
        """
        found: dict[str, Any] = {}
        if self.prompt_tokens is not None:
            found["prompt_tokens"] = self.prompt_tokens
        if self.output_tokens is not None:
            found["output_tokens"] = self.output_tokens
        elif self.chunks:
            found["output_tokens"], found["labels"] = self.chunks, {"tokens_by": "chunks"}
        if self.cached_tokens is not None:
            found["cached_tokens"] = self.cached_tokens
        tokens = self.output_tokens or self.chunks
        if self.chunks > 1 and tokens > 1 and self.first_at is not None and self.last_at is not None:
            found["itl_mean"] = (self.last_at - self.first_at) / (tokens - 1)
        if self.finish_reason is not None:
            found["finish_reason"] = self.finish_reason
        if self.error is not None:
            found["error"] = self.error
        if self._texts:
            found["response"] = "".join(self._texts)
        return found

    def _keep(self, texts: Iterable[str]) -> None:
        for text in texts:
            if self._length < _MOST_TEXT:
                self._texts.append(text[: _MOST_TEXT - self._length])
                self._length += len(text)

    def _finished(self, reason: Any) -> None:
        if reason and isinstance(reason, str):
            self.finish_reason = reason[:_MOST_WORD]

    def _facts(self, get: Get) -> None:
        """What an answer, or a part of one, says beside its text."""
        if (inner := get("response")) and not isinstance(inner, str):
            get = _getter(inner)  # the last event of the responses API wraps the whole
        if self.id is None:
            self.id = _word(get("id"))
        if self.model is None:
            self.model = _word(get("model"))
        if status := get("status"):
            self._finished(_ended(status, get("incomplete_details")))
        if (error := get("error")) and not isinstance(error, bool):
            self.error = _word(_get(error, "type")) or _word(_get(error, "code")) or "error"
        if usage := get("usage"):
            self._usage(_getter(usage))

    def _usage(self, get: Get) -> None:
        prompt, output = get("prompt_tokens", get("input_tokens")), get("completion_tokens", get("output_tokens"))
        details = get("prompt_tokens_details") or get("input_tokens_details")
        self.prompt_tokens = _tokens(prompt, self.prompt_tokens)
        self.output_tokens = _tokens(output, self.output_tokens)
        if details:
            self.cached_tokens = _tokens(_get(details, "cached_tokens"), self.cached_tokens)


def _parsed(data: bytes) -> Any:
    if not data.startswith(b"{"):
        return None
    try:
        return from_json(data)
    except ValueError:
        return None


def _texts_in(delta: Any) -> list[str]:
    """Text that a stream event adds to one choice; a part of a tool call counts, and is no text."""
    texts = []
    for name in delta if isinstance(delta, dict) else _KINDS:
        if name in _KINDS and (value := _get(delta, name)):
            if name in _CALLS:
                texts.append("")
            elif isinstance(value, str):
                texts.append(value)
    return texts


def _text_of_a_response(kind: Any, delta: Any) -> list[str]:
    """Text that an event of the responses API adds."""
    if not _is_text(kind) or not kind.startswith("response.") or not kind.endswith(".delta"):
        return []
    return [delta if _is_text(delta) else ""]


def _whole_texts(said: Any) -> Iterable[str]:
    for choice in _some(_get(said, "choices")):
        message = _get(choice, "message") or choice
        yield from texts_of([_get(message, "content"), _get(message, "text")])
    for item in _some(_get(said, "output")):
        for part in _some(_get(item, "content")):
            yield from texts_of(_get(part, "text"))


def _ended(status: Any, details: Any) -> str | None:
    """Why an answer of the responses API ended, by its status."""
    if status == "incomplete":
        return _word(_get(details, "reason")) or "length"
    return _STATUS.get(status) if _is_text(status) else None


def _getter(said: Any) -> Get:
    """Gives the fields of a dict or of an object, or what is said to be given where there is none."""
    return said.get if isinstance(said, dict) else lambda name, otherwise=None: getattr(said, name, otherwise)


def _get(said: Any, name: str) -> Any:
    """A field of a dict or of an object; None where there is none."""
    return said.get(name) if isinstance(said, dict) else getattr(said, name, None)


def _some(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else ()


def _word(value: Any) -> str | None:
    return value[:_MOST_WORD] if isinstance(value, str) and value else None


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _tokens(value: Any, known: int | None) -> int | None:
    """A count of tokens, or what was known before where it is none."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST_TOKENS else known
