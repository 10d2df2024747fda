"""A LiteLLM proxy that is watched: this file is its callback.

``python examples/litellm_proxy.py`` prints the proxy's configuration; put both into one folder, and there run
``LITELLM_MASTER_KEY=sk-... litellm --config config.yaml``. LiteLLM is not installed with driftwatch.
"""

from typing import Any

import driftwatch as dw
from driftwatch.integrations.litellm import Callback

try:
    from litellm.integrations.custom_logger import CustomLogger
except ImportError:  # so that this file can be read without it
    CustomLogger: Any = object  # type: ignore[no-redef]  # it is imported or it is this

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {model: openai/my-model, api_base: "http://127.0.0.1:8000/v1", api_key: none}
litellm_settings:
  callbacks: litellm_proxy.watch
"""


class Watch(Callback, CustomLogger):  # type: ignore[misc]  # a base of type Any, where LiteLLM is not installed
    """The callback as LiteLLM wants it: one of its own class."""


watch = Watch(dw.Monitor())

if __name__ == "__main__":
    print(CONFIG)
