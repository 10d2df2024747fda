"""What every destination must do."""

import logging
import zlib
from datetime import UTC, datetime

import pytest
from delivering.receiver import Reply

from driftwatch.errors import DeliveryError
from driftwatch.incidents import chapters, models
from driftwatch.incidents.models import AnswerChange, Example, Incident
from driftwatch.incidents.record import Record
from driftwatch.sinks import HttpSink, Letter, Outbox
from driftwatch.sinks.facts import SENT
from driftwatch.sinks.record import WRITTEN, packed, without_text
from tests.sinks.cases import CASES, PATH_SECRET, SECRET
from tests.sinks.conftest import places
from tests.sinks.stories import ATTACKS, hostile, life, opened, resolved

HTTP = [case for case in CASES if case.http]
DOWN = [case for case in CASES if case.http or case.name in ("email", "apprise")]
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OURS = {
    *("signal", "stream", "direction", "unit", "name", "role", "tier", "via", "scope", "evidence", "reason", "layer"),
    *("state", "comparison", "source", "series", "where", "kind", "text", "what", "names", "id", "status", "terms"),
    *("transition", "severity", "notes", "request_id", "excess_unit", "who", "currency", "felt", "felt_unit", "shown"),
    "shown_unit",
}
"""Fields of a record that hold words, and none that users or models wrote."""


def ids(case):
    return case.name


@pytest.fixture
def place(request, tmp_path):
    """A folder and a receiver that answers as the service would."""
    with places(request.getfixturevalue("case"), tmp_path) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_opening_and_resolving_arrive_once_and_in_order(case, place):
    with Outbox(place.folder / "outbox.db", [case.make(place)]) as outbox:
        outbox.put(life("dw-0001", updates=0))
        outbox.put([opened("dw-0002")])
        outbox.close()
        assert outbox.stats()[case.make(place).name].pending == 0
    assert sorted(case.heard(place), key=lambda heard: heard[0]) == [
        ("dw-0001", "open"),
        ("dw-0001", "resolved"),
        ("dw-0002", "open"),
    ]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_several_incidents_fit_in_as_many_messages_as_it_takes(case, place):
    sink = case.make(place)
    with Outbox(place.folder / "outbox.db", [sink]) as outbox:
        outbox.put([opened(f"dw-{n:04}") for n in range(12)])
        outbox.close()
    assert sorted(name for name, _ in case.heard(place)) == [f"dw-{n:04}" for n in range(12)]
    if case.http:
        wanted = -(-12 // sink.most)
        assert len([m for m in place.receiver.received if m.method != "GET"]) >= wanted


@pytest.mark.parametrize("case", CASES, ids=ids)
@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_whatever_a_stranger_wrote_is_delivered_within_the_limits(case, place, attack):
    sink = case.make(place)
    for incident in (hostile(attack), resolved(hostile(attack))):
        sink.send([Letter(incident)], NOW)
    if sink.most > 1:
        many = [hostile(attack).model_copy(update={"id": f"dw-{n}"}) for n in range(min(sink.most, 10))]
        sink.send([Letter(incident) for incident in many], NOW)
    for message in place.receiver.received:
        case.check(message)
        assert b"\x1b" not in message.body


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_secrets_show_up_nowhere(case, place, caplog):
    caplog.set_level(logging.DEBUG)
    sink = case.make(place)
    outbox = Outbox(place.folder / "outbox.db", [sink])
    outbox.put([opened()])
    secrets = [PATH_SECRET, *([SECRET, SECRET.removeprefix("whsec_")] if case.keyed else [])]
    place.receiver.answer = lambda *_: Reply(500, f"{SECRET if case.keyed else ''} {PATH_SECRET}".encode())
    outcomes = outbox.deliver()
    outbox.close()
    said = f"{sink!r} {outcomes} {outbox.stats()} {outbox.entries()} {caplog.text}"
    stored = b"".join(file.read_bytes() for file in place.folder.glob("outbox.db*"))
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in stored


@pytest.mark.parametrize("case", DOWN, ids=ids)
def test_a_destination_that_is_down_is_a_delivery_error(case, tmp_path):
    with places(case, tmp_path) as place:
        pass  # and now all of its servers are gone
    with pytest.raises(DeliveryError) as caught:
        case.make(place).send([Letter(opened())], NOW)
    assert (caught.value.reason, caught.value.retry) == ("connection", True)


@pytest.mark.parametrize("case", HTTP, ids=ids)
@pytest.mark.parametrize(("status", "retry"), [(500, True), (429, True), (400, False)])
def test_a_refusal_is_a_delivery_error(case, place, status, retry):
    place.receiver.answer = lambda *_: Reply(status)
    with pytest.raises(DeliveryError) as caught:
        case.make(place).send([Letter(opened())], NOW)
    assert caught.value.retry is retry


@pytest.mark.parametrize("case", HTTP, ids=ids)
def test_what_is_sent_depends_on_nothing_but_letters_time_and_settings(case, place):
    sink = case.make(place)
    if not isinstance(sink, HttpSink):
        pytest.skip("more than one request")
    letters = [Letter(opened())]
    first = sink.request(letters, NOW)
    assert sink.request(letters, NOW) == first
    assert case.make(place).request(letters, NOW) == first


def test_every_field_of_the_record_is_known_to_be_sent_or_not():
    assert set(Incident.model_fields) <= SENT, "decide whether the new field may leave the machine, then list it"


def parts(model):
    """The models that a record is made of."""
    named = (vars(models) | vars(chapters)).values()
    return [part for part in named if isinstance(part, type) and issubclass(part, model)]


def test_every_text_of_the_record_is_known_to_be_ours_or_not():
    """A new field that holds what users or models wrote belongs into record.WRITTEN; every other is listed here."""
    fields = [(name, field) for model in parts(Record) for name, field in model.model_fields.items()]
    words = {name for name, field in fields if "str" in str(field.annotation)}
    assert words - OURS <= WRITTEN, "does it hold what users wrote? then record.WRITTEN, else list it here"


def test_every_destination_has_a_case():
    from driftwatch import sinks

    kinds = {name for name in sinks.__all__ if isinstance(getattr(sinks, name), type)}
    made = {n for n in kinds if issubclass(getattr(sinks, n), sinks.Sink)} - {"Sink", "HttpSink"}
    assert {name.lower() for name in made} == {case.name for case in CASES}


def test_what_users_wrote_is_blank_in_the_outbox_unless_it_is_asked_for():
    example = Example(request_id="r1", at=7.0, excerpt="Dear Sir")
    told = opened().model_copy(update={"answers": AnswerChange(before=9, after=9, examples=(example,))})
    assert b"Dear Sir" not in zlib.decompress(packed(told))
    assert b"Dear Sir" in zlib.decompress(packed(told, text=True))
    (kept,) = without_text(told.to_dict())["answers"]["examples"]
    assert (kept["request_id"], kept["excerpt"]) == ("r1", "")
