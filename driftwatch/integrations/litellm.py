"""A callback for LiteLLM, in its SDK or its proxy. LiteLLM is not imported here: it is large, and the user has it.

LiteLLM asks that a callback is one of its own class, so it is mixed into that where it is used::

    from litellm.integrations.custom_logger import CustomLogger

    class Watch(Callback, CustomLogger):
        pass

    litellm.callbacks = [Watch(monitor)]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from driftwatch.integrations.call import is_clients_fault
from driftwatch.integrations.guest import Receiver, quietly
from driftwatch.integrations.wire import Answer
from driftwatch.integrations.wire.asked import texts_of

_TENANT = ("user_api_key_team_alias", "user_api_key_alias")


class Callback:
    """Tells a monitor of every call that LiteLLM logs.

    Parameters
    ----------
    monitor
        Who is told.
    labels
        Labels of every request.
    text
        Hand prompts and answers to the monitor.

    Attributes
    ----------
    from_cache
        Answers that came from LiteLLM's own cache: no model was asked, so they are counted here and not told.
    """

    def __init__(self, monitor: Receiver, *, labels: Mapping[str, str] | None = None, text: bool = False) -> None:
        super().__init__()
        self.monitor, self.labels, self.text, self.from_cache = monitor, dict(labels or {}), text, 0

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that was made without asyncio."""
        self._tell(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Likewise, and it failed."""
        self._tell(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call of an asyncio program, such as the proxy."""
        self._tell(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Likewise, and it failed."""
        self._tell(kwargs)

    @quietly
    def _tell(self, kwargs: Mapping[str, Any]) -> None:
        payload = kwargs["standard_logging_object"]
        if payload.get("cache_hit"):
            self.from_cache += 1
            return
        self.monitor.request(**row_of(payload, text=self.text), labels=self.labels)


def row_of(payload: Mapping[str, Any], *, text: bool = False) -> dict[str, Any]:
    """A standard logging payload as the fields of `driftwatch.Monitor.request`.

    Examples
    --------
    >>> row = row_of({"id": "a", "model_group": "m", "startTime": 10.0, "endTime": 12.5, "status": "success",
    ...     "stream": True, "completionStartTime": 10.5, "prompt_tokens": 9, "completion_tokens": 4})
    >>> row["model"], row["latency"], row["ttft"], row["output_tokens"]
    ('m', 2.5, 0.5, 4)
    """
    answer = Answer(text)
    answer.whole(payload.get("response") or {})
    metadata = payload.get("metadata") or {}
    began, ended, first = payload["startTime"], payload["endTime"], payload.get("completionStartTime")
    streamed = bool(payload.get("stream")) and isinstance(first, float) and began < first <= ended
    row = answer.measured() | {
        "request_id": payload.get("litellm_call_id") or payload.get("id"),
        "model": payload.get("model_group") or payload.get("model"),
        "route": payload.get("call_type"),
        "tenant": next((metadata[name] for name in _TENANT if metadata.get(name)), None),
        "replica": urlsplit(payload.get("api_base") or "").netloc or None,
        "started_at": began,
        "completed_at": ended,
        "latency": max(ended - began, 0.0),
        "ttft": first - began if streamed else None,
        "prompt_tokens": payload.get("prompt_tokens") or None,
        "output_tokens": payload.get("completion_tokens") or None,
        "prompt": "\n".join(texts_of(payload.get("messages"))) or None if text else None,
        **_failure(payload),
    }
    return {name: value for name, value in row.items() if value is not None}


def _failure(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Status and error of a call that failed."""
    if payload.get("status") != "failure":
        return {"status": 200}
    told = payload.get("error_information") or {}
    code = str(told.get("error_code") or "")
    status = int(code) if code.isdigit() else None
    error = told.get("error_class") or "error"
    return {"status": status, "error": None if is_clients_fault(status) else error}
