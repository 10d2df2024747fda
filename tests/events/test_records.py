from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from driftwatch.errors import InputError
from driftwatch.events import Marker, Metric, Request, requests_from


@pytest.mark.parametrize(
    "moment",
    [
        1767225600,
        1767225600.0,
        np.float64(1767225600),
        np.int64(1767225600),
        "2026-01-01T00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T00:00:00",
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_an_instant_in_any_form_is_the_same_second(moment):
    assert Request(started_at=moment).started_at == 1767225600.0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"latency": -1.0}, "latency: Input should be greater than or equal to 0"),
        ({"latency": float("inf")}, "latency"),
        ({"latency": 1e8}, "latency"),
        ({"prompt_tokens": "12"}, "prompt_tokens: Input should be a valid integer"),
        ({"prompt_tokens": -1}, "prompt_tokens"),
        ({"model": 7}, "model: Input should be a valid string"),
        ({"labels": {"pod": 7}}, "labels.pod"),
        ({"latncy": 1.0}, "latncy: Extra inputs are not permitted"),
        ({"started_at": float("inf")}, "started_at"),
    ],
)
def test_a_wrong_field_is_named(fields, complaint):
    with pytest.raises(InputError, match=r"^request: ") as raised:
        Request.of(fields)
    assert complaint in str(raised.value)


def test_an_error_never_repeats_text_that_it_was_given():
    with pytest.raises(InputError) as raised:
        Request.of({"prompt": 7, "response": ["my secret"]})
    assert "secret" not in str(raised.value)


def test_nan_means_not_measured():
    assert Request(latency=float("nan"), ttft=np.float32("nan")).latency is None


def test_records_are_immutable():
    with pytest.raises(ValidationError):
        Metric(name="up", value=1.0, at=1.0).value = 2.0


def test_numpy_vectors_are_taken():
    assert Request(embedding=np.array([1.0, 2.0])).embedding == (1.0, 2.0)


def test_markers_need_a_kind():
    with pytest.raises(InputError, match="marker: kind"):
        Marker.of({"kind": "", "at": 1.0})


def test_records_become_columns_that_are_complete():
    batch = requests_from(
        [
            Request(
                request_id="a", model="m", started_at=10.0, completed_at=14.0, ttft=1.0, output_tokens=4, status=200
            ),
            Request(request_id="b", model="m", started_at=10.0, latency=2.0, status=503, labels={"zone": "eu"}),
            Request(model="n", started_at=11.0, finish_reason="max_tokens", error=""),
            Request(started_at=12.0, status="failure"),
        ]
    )
    assert batch.latency.tolist()[:2] == [4.0, 2.0]
    assert batch.completed_at.tolist()[:2] == [14.0, 12.0]
    assert np.isnan(batch.completed_at[2:]).all()
    assert batch.itl[0] == 1.0
    assert batch.failed.tolist() == [False, True, False, True]
    assert batch.finish_reason.to_list() == [None, None, "length", None]
    assert batch.labels["zone"].to_list() == [None, "eu", None, None]
    assert batch.labels["model"].to_list() == ["m", "m", "n", None]
    assert "tenant" not in batch.labels
    assert len(set(batch.id_hash[:2].tolist())) == 2
    assert batch.id_hash[2] == 0
