import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.events.identity import hash_bytes, hash_strings

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=30)


@given(TEXTS)
def test_a_hash_depends_on_the_string_alone(texts):
    together = hash_strings(texts)
    assert together.tolist() == [hash_strings([text])[0] for text in texts]
    assert ((together == 0) == [not text for text in texts]).all()


@given(TEXTS)
def test_different_strings_differ(texts):
    distinct = [text for text in dict.fromkeys(texts) if text]
    assert len(set(hash_strings(distinct).tolist())) == len(distinct)


def test_no_collisions_and_even_bits_in_what_people_use_as_ids():
    ids = [*(f"r{i}" for i in range(50_000)), *(f"chatcmpl-{i:032x}" for i in range(50_000)), *map(str, range(50_000))]
    hashes = hash_strings(ids)
    assert len(set(hashes.tolist())) == len(ids)
    bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.01


def test_long_ids_differ_in_their_last_byte():
    a, b, c = hash_strings(["x" * 300 + "a", "x" * 300 + "b", "x" * 256])
    assert len({int(a), int(b), int(c)}) == 3


def test_rows_in_the_middle_of_a_buffer():
    data = np.frombuffer(b"..abcdefghij..", np.uint8)
    assert hash_bytes(data, np.array([2, 5, 12]))[0] == hash_strings(["abc"])[0]


def test_the_hash_is_the_same_in_every_process():
    code = "from driftwatch.events.identity import hash_strings; print(hash_strings(['r1'])[0])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) == hash_strings(["r1"])[0]


def test_a_lone_surrogate_in_an_id_is_a_character_like_any_other():
    a, b = hash_strings(["r\ud800", "r\ud801"])
    assert a != b
