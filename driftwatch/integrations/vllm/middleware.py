"""vLLM's middleware: what users of the server feel, joined with what its engine says."""

from __future__ import annotations

from driftwatch.integrations import asgi
from driftwatch.integrations.call import Call
from driftwatch.integrations.guest import Nobody
from driftwatch.integrations.vllm.join import Row
from driftwatch.integrations.vllm.shared import shared


class Middleware(asgi.Middleware):
    """For ``vllm serve --middleware driftwatch.integrations.vllm.Middleware``; takes its settings from ``watch.toml``.

    Parameters
    ----------
    app
        vLLM's application.
    """

    def __init__(self, app: asgi.App) -> None:
        here = shared()
        if here is None:
            super().__init__(app, Nobody(), paths=())
            return
        asked = here.settings.engine
        super().__init__(app, here.monitor, tenant_header=asked.tenant_header or None, text=asked.text)
        self._join = here.join
        here.join.expect_edge()

    def tell(self, call: Call, row: Row) -> None:
        """Join it with what the engine says of the same request."""
        self._join.edge(call.answer.id, row)
