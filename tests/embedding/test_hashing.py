import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.embedding import Encoder, HashingEncoder
from tests.embedding.strategies import PAIRS

HERE = [
    "The cache is full and requests wait.",
    "Requests wait, the cache is full.",
    "Bread needs flour, water and salt.",
]


@given(PAIRS, st.sampled_from([1, 7, 256]), st.integers(-5, 2**62))
def test_vectors_are_finite_of_length_one_or_zero_and_depend_on_their_text_alone(pairs, dimensions, seed):
    texts = [text or "" for _, text in pairs]
    encoder = HashingEncoder(dimensions, seed)
    vectors = encoder.encode(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), dimensions)
    length = np.linalg.norm(vectors, axis=1)
    assert np.all((length == 0) | np.isclose(length, 1.0, atol=1e-5))
    alone = [encoder.encode([text])[0] for text in texts]
    np.testing.assert_array_equal(vectors, np.array(alone).reshape(vectors.shape))


def test_what_says_the_same_is_near():
    vectors = HashingEncoder().encode(HERE)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.6
    assert abs(far) < 0.25


def test_products_are_those_of_the_bags_in_expectation():
    few = [HashingEncoder(64, seed).encode(HERE) for seed in range(200)]
    many = HashingEncoder(1 << 16).encode(HERE)
    products = np.mean([vectors @ vectors.T for vectors in few], axis=0)
    assert products == pytest.approx(many @ many.T, abs=0.03)


def test_counts_are_sublinear_and_length_does_not_matter():
    once, often = HashingEncoder().encode(["out of memory", "out of memory " * 300])
    assert once @ often > 0.75


def test_a_word_in_a_loop_does_not_drown_the_others():
    plain = "alpha beta gamma delta epsilon zeta eta theta"
    one, two = HashingEncoder(4096).encode([plain, plain + " noise" * 40])
    assert one @ two > 0.4  # with plain counts it is 0.07


def test_the_order_of_words_matters_a_little():
    one, two = HashingEncoder().encode(["dog bites man", "man bites dog"])
    assert 0.3 < one @ two < 0.95


def test_a_seed_draws_other_buckets_and_has_another_name():
    one, two = HashingEncoder(seed=1), HashingEncoder(seed=2)
    assert abs(one.encode(HERE)[0] @ two.encode(HERE)[0]) < 0.3
    assert len({one.name, two.name, HashingEncoder(128, seed=1).name}) == 3


def test_nothing_to_hash_is_nowhere():
    assert not HashingEncoder().encode(["", "  "]).any()
    assert HashingEncoder().encode([]).shape == (0, 256)


def test_it_is_an_encoder_and_needs_dimensions():
    assert isinstance(HashingEncoder(), Encoder)
    with pytest.raises(ValueError, match="0 dimensions"):
        HashingEncoder(0)


def test_vectors_are_those_of_every_process(root):
    code = (
        "from driftwatch.embedding import HashingEncoder\n"
        "print(HashingEncoder(8).encode(['drift in text']).tobytes().hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {HashingEncoder(8).encode(["drift in text"]).tobytes().hex()}


def test_vectors_are_those_of_every_version():
    found = HashingEncoder(8).encode(["drift in text"])[0]
    assert found == pytest.approx([-0.449, -0.255, 0.195, 0.55, 0.389, -0.195, -0.449, 0.033], abs=1e-3)
