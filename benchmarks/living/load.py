"""Who asks the server: chats at random times, and, from a given time on, long requests of another tenant."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

WORDS = (
    *("river", "stone", "window", "paper", "morning", "engine", "harbour"),
    *("copper", "garden", "signal", "thunder", "winter", "bridge", "candle"),
)


@dataclass(slots=True)
class Load:
    """What is asked, and what came back.

    Parameters
    ----------
    url
        The server.
    rate
        Chats a second, on average.
    words, tokens
        Words of a chat's prompt, on average, and tokens asked for.
    swing, period_s
        The rate goes up and down by this share of it, once in so many seconds.
    hogs
        Long requests of tenant ``batch`` at a time, while they last.
    seed
        Of all draws.
    rows, broken
        Requests that were answered, and how many connections broke.
    """

    url: str
    rate: float = 3.0
    swing: float = 0.0
    period_s: float = 1200.0
    words: int = 60
    tokens: int = 96
    hogs: int = 0
    hog_words: int = 450
    hog_tokens: int = 600
    seed: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    broken: int = 0

    async def run(self, seconds: float, hogs_from: float = math.inf, hogs_until: float = math.inf) -> None:
        """Ask for so many seconds; the times are seconds from now."""
        draw, began = random.Random(self.seed), time.monotonic()
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=2.0)  # the server lets go of idle ones after 5 s
        async with httpx2.AsyncClient(timeout=300, limits=limits) as client, asyncio.TaskGroup() as group:
            for _ in range(self.hogs):
                group.create_task(
                    self._hog(client, random.Random(draw.random()), began, hogs_from, hogs_until, seconds)
                )
            while (waited := time.monotonic() - began) < seconds:
                now = self.rate * (1.0 + self.swing * math.sin(2.0 * math.pi * waited / self.period_s))
                pause = draw.expovariate(now)
                await asyncio.sleep(min(pause, max(seconds - waited, 0.0)))
                length = max(5, int(draw.lognormvariate(math.log(self.words), 0.4)))
                group.create_task(self.ask(client, "chat", text_of(draw, length), self.tokens))

    async def _hog(
        self, client: httpx2.AsyncClient, draw: random.Random, began: float, first: float, until: float, end: float
    ) -> None:
        await asyncio.sleep(max(min(first, end) - (time.monotonic() - began), 0.0))
        while time.monotonic() - began < min(until, end):
            await self.ask(client, "batch", text_of(draw, self.hog_words), self.hog_tokens)

    async def ask(self, client: httpx2.AsyncClient, tenant: str, prompt: str, tokens: int) -> None:
        """One request; its row has what the client felt."""
        body = {
            "model": "smollm2", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "temperature": 0.7, "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip
        began, first, usage = time.time(), None, {}
        headers = {"x-tenant": tenant}
        try:
            async with client.stream("POST", f"{self.url}/v1/chat/completions", json=body, headers=headers) as answer:
                async for line in answer.aiter_lines():
                    if first is None and '"content":"' in line and '"content":""' not in line:
                        first = time.time()
                    if '"usage":{' in line:
                        usage = json.loads(line.removeprefix("data: "))["usage"]
        except httpx2.TransportError:
            self.broken += 1
            return
        ended = time.time()
        self.rows.append(
            {
                "tenant": tenant, "model": "smollm2", "started_at": began, "completed_at": ended,
                "ttft": None if first is None else first - began, "latency": ended - began,
                "status": answer.status_code, "prompt_tokens": usage.get("prompt_tokens"),
                "output_tokens": usage.get("completion_tokens"),
            }
        )  # fmt: skip


def text_of(draw: random.Random, words: int) -> str:
    """A prompt of so many words."""
    return " ".join(draw.choices(WORDS, k=words))
