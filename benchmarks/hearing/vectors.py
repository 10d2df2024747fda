"""MiniLM's vectors of all prompts and answers, a file a model: ``python benchmarks/hearing/vectors.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from driftwatch.embedding import SentenceEncoder
from hearing.cases import answers


def main(folder: Path) -> None:
    """Encode what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = answers()
    encoder = SentenceEncoder()
    for name in ("PROMPTS", *rows[0]["answers"]):
        path = folder / f"{name}.npy"
        if not path.exists():
            texts = [row["prompt"] if name == "PROMPTS" else row["answers"][name] or "" for row in rows]
            np.save(path, encoder.encode(texts).astype(np.float16))
            print(name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
