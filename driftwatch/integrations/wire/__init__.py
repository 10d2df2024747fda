"""The OpenAI-compatible protocol as bytes: what was asked, and what an answer says, without holding it up."""

from driftwatch.integrations.wire.answer import Answer
from driftwatch.integrations.wire.asked import model_of, prompt_of
from driftwatch.integrations.wire.events import EventStream
from driftwatch.integrations.wire.stream import Stream

__all__ = ["Answer", "EventStream", "Stream", "model_of", "prompt_of"]
