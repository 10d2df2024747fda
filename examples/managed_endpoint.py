"""A managed endpoint: no GPU metrics, no server of yours; only what your client feels.

``python examples/managed_endpoint.py`` asks a stand-in on this machine; with OPENAI_BASE_URL, OPENAI_API_KEY and MODEL
set it asks the real one.
"""

import os
from contextlib import ExitStack

import openai
from parts.endpoint import app, served

import driftwatch as dw
from driftwatch.integrations.openai import watch

with ExitStack() as stack:
    url = os.environ.get("OPENAI_BASE_URL") or stack.enter_context(served(app)) + "/v1"
    monitor = stack.enter_context(dw.Monitor())
    key = os.environ.get("OPENAI_API_KEY", "none")
    client = watch(stack.enter_context(openai.OpenAI(base_url=url, api_key=key)), monitor)
    for question in ("What is a change point?", "Why was it slow yesterday?"):
        stream = client.chat.completions.create(
            model=os.environ.get("MODEL", "m"), messages=[{"role": "user", "content": question}], stream=True
        )
        print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    monitor.flush()
    print(monitor.stats().state, [incident.explain() for incident in monitor.incidents()])
