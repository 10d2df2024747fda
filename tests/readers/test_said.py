"""Texts, messages, vectors and scores from anybody's columns."""

import json

import numpy as np
import pandas as pd
import pytest

from driftwatch.config import Config
from driftwatch.events.columns import concat_requests
from driftwatch.readers import Quarantine, read_requests

ROWS = [
    {
        "request_id": f"r{k}",
        "completed_at": 1.8e9 + k,
        "latency": 1.0,
        "messages": [{"role": "user", "content": f"Question {k}?"}],
        "response": {"choices": [{"message": {"role": "assistant", "content": f"Answer {k}."}}]}
        if k % 2
        else f"Answer {k}.",
        "embedding": [float(k), 1.0, 0.5],
        "scores": {"judge": k / 10, "thumbs": None if k % 3 else 1},
    }
    for k in range(10)
]


def read(source, **settings):
    quarantine = Quarantine()
    return concat_requests(list(read_requests(source, Config.parse(settings), quarantine))), quarantine


@pytest.mark.parametrize("how", ["rows", "jsonl", "frame"])
def test_messages_vectors_and_scores_are_read(how, tmp_path):
    if how == "jsonl":
        path = tmp_path / "requests.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        found, _ = read(path)
    else:
        found, _ = read(iter(ROWS) if how == "rows" else pd.DataFrame(ROWS))
    assert found.texts.prompt.tolist() == [f"Question {k}?" for k in range(10)]
    assert found.texts.response.tolist() == [f"Answer {k}." for k in range(10)]
    assert [list(v) for v in found.texts.response_vector] == [row["embedding"] for row in ROWS]
    assert found.texts.name.tolist() == [f"r{k}" for k in range(10)]
    np.testing.assert_allclose(found.scores["judge"], np.arange(10) / 10)
    assert np.isnan(found.scores["thumbs"]).sum() == 6


def test_messages_as_json_in_a_csv_are_read(tmp_path):
    frame = pd.DataFrame(ROWS)[["request_id", "completed_at", "latency", "messages"]]
    frame["messages"] = frame["messages"].map(json.dumps)
    frame.to_csv(tmp_path / "requests.csv", index=False)
    found, _ = read(tmp_path / "requests.csv")
    assert found.texts.prompt[3] == "Question 3?"


def test_scores_that_are_no_numbers_are_left_out_and_noted():
    rows = [
        {"completed_at": 1.8e9 + k, "latency": 1.0, "scores": {"judge": "great" if k == 3 else "0.5"}} for k in range(9)
    ]
    found, quarantine = read(iter(rows))
    assert np.isnan(found.scores["judge"]).sum() == 1
    assert any("scores are not numbers" in note for note in quarantine.notes)


@pytest.mark.parametrize(
    "value", [7, True, "", "{not json", '{"content": ', [None], [[[]]], {"content": None}, "\ud800", "x" * 10**6]
)
def test_odd_texts_do_no_harm(value):
    rows = [{"completed_at": 1.8e9 + k, "latency": 1.0, "response": value} for k in range(3)]
    found, quarantine = read(iter(rows))
    assert len(found) == 3
    assert quarantine.rows() == ()


def test_texts_can_be_left_where_they_are():
    found, _ = read(iter(ROWS), text={"read": False})
    assert found.texts is None
    assert found.scores == {}
