"""A FastAPI service that is watched from within.

``python examples/fastapi_service.py`` serves it on a free port, asks it a few times and shows what the monitor knows.
In earnest the last lines fall away: ``uvicorn fastapi_service:app``.
"""

import httpx2
from parts.endpoint import app as service
from parts.endpoint import served

import driftwatch as dw
from driftwatch.integrations.asgi import Middleware

monitor = dw.Monitor()  # with sinks=[sinks.Slack("env:SLACK_URL")] it tells somebody
app = Middleware(service, monitor, tenant_header="x-tenant")

if __name__ == "__main__":
    with monitor, served(app) as url:
        for tenant in ("chat", "batch", "chat"):
            asked = {"model": "m", "messages": [{"role": "user", "content": "What is a change point?"}], "stream": True}
            answer = httpx2.post(f"{url}/v1/chat/completions", json=asked, headers={"x-tenant": tenant})
            print(answer.status_code, len(answer.content), "bytes")
        monitor.flush()
        print(monitor.stats().state, monitor.stats().shed, monitor.stats().quarantined)
