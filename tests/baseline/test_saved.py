import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.baseline import Baseline
from driftwatch.baseline.saved import SCHEMA
from driftwatch.errors import StateError

ARRAYS = {"baseline.seen": np.arange(6.0).reshape(2, 3), "detector.ttft": np.array([1.5, np.nan, -np.inf])}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "healthy.npz"


@given(titles=st.sets(st.text(), max_size=3), digest=st.text(max_size=9))
def test_what_was_saved_is_loaded(tmp_path_factory, titles, digest):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    Baseline(dict.fromkeys(titles, ARRAYS), digest).save(path)
    found = Baseline.load(str(path))
    assert found.config_digest == digest
    assert set(found.streams) == titles
    for arrays in found.streams.values():
        assert arrays.keys() == ARRAYS.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, ARRAYS[name])


def test_it_is_written_whole_or_not_at_all(path):
    Baseline({"a": ARRAYS}).save(path)
    before = path.read_bytes()

    class Unwritable:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Baseline({"a": ARRAYS | {"x": Unwritable()}}).save(path)
    assert path.read_bytes() == before
    Baseline({"b": ARRAYS}).save(path)
    assert list(Baseline.load(path).streams) == ["b"]
    assert [p.name for p in path.parent.iterdir()] == ["healthy.npz"]


def header(path, **header):
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8))


def test_a_newer_schema_is_named(path):
    header(path, schema=SCHEMA + 1, config="", streams=[])
    with pytest.raises(
        StateError, match=rf"healthy.npz: schema {SCHEMA + 1} is not known here \(this version reads {SCHEMA}\)$"
    ):
        Baseline.load(path)


def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(StateError, match=r"healthy.npz: cannot be read \(No such file"):
        Baseline.load(path)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("header.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"model,ttft\nm,0.2\n",
        npy(np.zeros(3)),
        npy(np.array([{"a": 1}]), allow_pickle=True),
        npz(a=np.zeros(3)),
        npz(header=np.frombuffer(b"{not json", np.uint8)),
        npz(header=np.frombuffer(b"[1, 2]", np.uint8)),
        npz(header=np.frombuffer(b"{}", np.uint8)),
        npz(header=np.frombuffer(b'{"schema": %d, "streams": 7, "config": ""}' % SCHEMA, np.uint8)),
        npz(header=np.array([{"a": 1}])),
        zipped(),
    ],
    ids=lambda content: str(content[:9]),
)
def test_what_is_no_baseline_is_said_to_be_none(path, content):
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"healthy.npz: (not a baseline|cannot be read)"):
        Baseline.load(path)


def test_a_damaged_file_is_refused_or_harmless(path):
    Baseline({"a": ARRAYS}).save(path)
    whole = path.read_bytes()
    for k in range(0, len(whole), 3):
        for damaged in (whole[:k], whole[:k] + bytes([whole[k] ^ 0x55]) + whole[k + 1 :]):
            path.write_bytes(damaged)
            try:
                found = Baseline.load(path)
            except StateError:
                continue
            for name, array in found.streams.get("a", {}).items():
                np.testing.assert_array_equal(array, ARRAYS[name])
