"""Ask a served model every prompt of a collection and keep what it answers.

The collection that comes with the package was made so: vLLM on a CPU (``--dtype float32``) served
SmolLM2-135M-Instruct (Apache-2.0) as it is (``good``) and with its weights rounded to 4 and 3 bits (``bad4``,
``bad3``), one after the other, and for each::

    python benchmarks/answers.py driftwatch/simulate/_answers.jsonl.gz --name good --url http://127.0.0.1:8011
"""

from __future__ import annotations

import argparse
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

_AT_ONCE = 32
_TIMEOUT_S = 600.0


def ask(url: str, model: str, prompt: str, max_tokens: int) -> str:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0.7,
    }
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=_TIMEOUT_S) as reply:
        return str(json.load(reply)["choices"][0]["message"]["content"])


def answer(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Ask each prompt ``args.samples`` times, in rounds, and put the answers into the rows."""
    prompts = [row["prompt"] for row in rows]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        replies = list(pool.map(lambda p: ask(args.url, args.model, p, args.max_tokens), prompts * args.samples))
    for k, row in enumerate(rows):
        row["answers"][args.name] = replies[k :: len(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path, help="rows with a prompt each; answers are added in place")
    parser.add_argument("--name", required=True, help="what the collection calls the model")
    parser.add_argument("--url", default="http://127.0.0.1:8011")
    parser.add_argument("--model", default="smollm2", help="what the server calls the model")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=96)
    args = parser.parse_args()
    with gzip.open(args.collection, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    answer(rows, args)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    args.collection.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
