"""Bytes of an OpenAI-compatible server, cut anywhere, broken anyhow."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.integrations.wire import Answer, EventStream, Stream, model_of, prompt_of
from driftwatch.integrations.wire.usual import usual

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=30)
NAMES = (
    *("id", "model", "choices", "delta", "message", "content", "text", "finish_reason", "usage", "prompt_tokens"),
    *("error", "completion_tokens", "input_tokens_details", "cached_tokens", "type", "status", "response", "output"),
    *("code", "x"),
)
KEYS = st.sampled_from(NAMES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


def as_the_standard_says(stream: bytes) -> list[bytes]:
    """The whole stream at once, line by line, as the HTML standard words it."""
    found, data = [], None
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines[:-1]:  # what follows the last line's end is no line
        name, _, value = line.partition(b":")
        if not line:
            found += [] if data is None else [b"\n".join(data)]
            data = None
        elif name == b"data":
            data = [*(data or []), value.removeprefix(b" ")]
    return found


def fed(stream: bytes, cuts: list[int], **kwargs) -> list[bytes]:
    parser, at = EventStream(**kwargs), [0, *sorted(c % (len(stream) + 1) for c in cuts), len(stream)]
    return [data for a, b in pairwise(at) for data in parser.feed(stream[a:b])]


@st.composite
def streams(draw):
    lines = st.one_of(
        st.just(""),
        TEXT.map(": {}".format),
        TEXT.map("data: {}".format),
        TEXT.map("data:{}".format),
        st.just("data"),
        TEXT,
    )
    body = "".join(line + draw(LINE_ENDS) for line in draw(st.lists(lines, max_size=20)))
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + body.encode() + b"\n"  # a last CR waits for its LF


@given(streams(), st.lists(st.integers(0, 1000), max_size=12))
def test_events_are_those_of_the_standard_however_the_stream_is_cut(stream, cuts):
    assert fed(stream, cuts) == as_the_standard_says(stream)


@given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_give_the_same_events_however_they_are_cut(stream, cuts):
    assert fed(stream, cuts) == fed(stream, [])


@given(st.integers(1, 200), st.lists(st.integers(0, 3000), max_size=12))
def test_an_event_without_end_fills_no_memory_and_is_counted(cut, cuts):
    parser = EventStream(limit=100)
    monster = b"data: " + b"x" * 1000
    pieces = [monster[i : i + cut] for i in range(0, len(monster), cut)]
    for piece in pieces:
        assert parser.feed(piece) == []
        assert sum(map(len, parser._held)) <= 100
    assert parser.oversized == 1
    assert parser.feed(b"\n") + parser.feed(b"\ndata: a\n\n") == [b"a"]
    assert parser.oversized == 1


def stream_of(*events: dict, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: " + json.dumps(e, separators=(",", ":")).encode() + b"\n\n" for e in events) + end


def chunk(text: str | None, finish: str | None = None, **more) -> dict:
    delta = {} if text is None else {"content": text}
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 12, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 8}}
HOSTILE = 'She said "finish_reason":"length" and \\"usage\\":{"completion_tokens":9}\n\ndata: {"error": 1}'


@given(st.lists(st.integers(0, 3000), max_size=20), st.booleans())
def test_an_answer_is_the_same_however_it_was_cut(cuts, keep):
    stream = stream_of(
        chunk(""), *[chunk(t) for t in ("Hi", HOSTILE, " ")], chunk(None, "stop"), {"choices": [], "usage": USAGE}
    )
    answer, at = Answer(keep), [0, *sorted(c % (len(stream) + 1) for c in cuts), len(stream)]
    reading = Stream(answer)
    for a, b in pairwise(at):
        reading.take(stream[a:b], 1.0)
    reading.look()
    assert (answer.model, answer.id, answer.finish_reason, answer.chunks) == ("m", "c1", "stop", 3)
    assert (answer.prompt_tokens, answer.output_tokens, answer.cached_tokens, answer.error) == (12, 40, 8, None)
    assert answer.text == (f"Hi{HOSTILE} " if keep else None)


DELTAS = st.sampled_from(
    [
        {"content": "a"}, {"content": ""}, {"content": HOSTILE}, {"role": "assistant"}, {"content": None}, {},
        {"content": '"', "tool_calls": [1]}, {"tool_calls": [{"id": "x"}]}, {"reasoning": "b"}, {"content": "\\"},
    ]
)  # fmt: skip
EVENTS = st.builds(
    lambda delta, finish, spaced, model: json.dumps(
        {"model": model, "choices": [{"delta": delta, "finish_reason": finish}]},
        separators=(", ", ": ") if spaced else (",", ":"),
    ).encode(),
    DELTAS,
    st.sampled_from([None, None, None, "stop", "length"]),
    st.booleans(),
    st.sampled_from(["m", "n"]),
)


@given(st.lists(EVENTS, max_size=12), st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_what_is_counted_by_its_shape_is_what_parsing_finds(events, together):
    """Whole events, one or several a piece, as servers send them."""
    quick, slow = Answer(), Answer()
    reading, left = Stream(quick), list(events)
    for number, at in enumerate(range(100)):
        some, left = left[: together[number % len(together)]], left[together[number % len(together)] :]
        reading.take(b"".join(b"data: " + event + b"\n\n" for event in some), float(at))
        for event in some:
            slow.event(event, float(at))
    reading.look()
    assert (quick.chunks, quick.finish_reason, quick.model) == (slow.chunks, slow.finish_reason, slow.model)
    assert (quick.first_at, quick.last_at) == (slow.first_at, slow.last_at)


HEAD = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764324000,"model":"org/m",'
USUAL = [
    HEAD + rest + b"}\n\n"
    for rest in (
        b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]',
        b'"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}],"prompt_token_ids":null',
        b'"choices":[{"index":0,"delta":{"content":" a\\"b\\n"},"logprobs":null,"finish_reason":null}]',
        b'"choices":[{"index":1,"text":" one","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null',
        b'"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]',
        b'"choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"length","matched_stop":null}]',
        b'"choices":[],"usage":{"prompt_tokens":12,"total_tokens":52,"completion_tokens":40}',
        b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":40,"total_tokens":52,'
        b'"prompt_tokens_details":{"cached_tokens":8}}',
    )
]
KNOTS = (b'"', b"\\", b"\\u006d", b"{", b"}", b"]", b",", b":", b"0", b"9", b"null", b"\n", b"\r", b"\xff", b" ")


def facts_of(answer: Answer) -> tuple:
    return (answer.id, answer.model, answer.chunks, answer.first_at, answer.last_at, answer.measured())


@pytest.mark.parametrize("piece", USUAL)
def test_what_most_servers_send_is_usual(piece):
    assert usual(piece) is not None


@given(
    st.sampled_from(USUAL),
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 12), st.sampled_from(KNOTS) | st.binary(max_size=3)), max_size=3
    ),
    st.sampled_from(USUAL),
)
def test_a_usual_event_says_what_parsing_finds(piece, changes, other):
    """Whatever is cut out of it or put into it: it is not usual any longer, or both read the same."""
    for at, cut, knot in changes:
        piece = piece[:at] + knot + piece[at + cut :]
    for known in (other, None):
        quick, slow = Answer(), Answer()
        if known is not None:
            quick.event(known[6:-2], 1.0)
            slow.event(known[6:-2], 1.0)
        if (found := usual(piece)) is not None:
            quick.usual(found, 2.0)
            slow.event(piece[6:-2], 2.0)
        assert facts_of(quick) == facts_of(slow)


@given(st.lists(st.sampled_from(USUAL) | EVENTS.map(lambda e: b"data: " + e + b"\n\n"), max_size=12), st.booleans())
def test_a_stream_of_usual_events_and_others_says_what_parsing_finds(pieces, keep):
    quick, slow = Answer(keep), Answer(keep)
    reading = Stream(quick)
    for at, piece in enumerate(pieces):
        reading.take(piece, float(at))
        slow.event(piece[6:-2], float(at))
    reading.look()
    assert facts_of(quick) == facts_of(slow)


@given(JSON, st.booleans(), st.floats(0, 1e9))
def test_no_json_whatever_raises(said, keep, at):
    answer = Answer(keep)
    answer.event(json.dumps(said).encode(), at)
    answer.part(said, at)
    answer.whole(said)
    fields = answer.measured()
    for name in ("prompt_tokens", "output_tokens", "cached_tokens"):
        assert isinstance(fields.get(name), int | None)
        assert fields.get(name, 0) >= 0
    assert all(isinstance(fields.get(name), str | None) for name in ("finish_reason", "error", "response"))


@given(st.binary(max_size=100))
def test_no_bytes_whatever_raise(data):
    answer = Answer()
    answer.event(data, 1.0)
    answer.event(b"{" + data, 1.0)
    answer.whole(data)
    model_of(data)
    prompt_of(data)
    assert answer.output_tokens is None or answer.output_tokens >= 0


def test_tokens_are_chunks_where_no_usage_is_sent_and_it_is_said():
    answer = Answer()
    for second, text in enumerate(["a", "b", "c"]):
        answer.part(chunk(text), float(second))
    measured = answer.measured()
    assert (measured["output_tokens"], measured["labels"], measured["itl_mean"]) == (3, {"tokens_by": "chunks"}, 1.0)
    answer.part({"choices": [], "usage": {"completion_tokens": 5}}, 3.0)
    measured = answer.measured()
    assert (measured["output_tokens"], measured.get("labels"), measured["itl_mean"]) == (5, None, 0.5)


@pytest.mark.parametrize("keep", [False, True])
def test_a_whole_chat_answer(keep):
    said = {
        "id": "x", "model": "m", "usage": USAGE,
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "length"}],
    }  # fmt: skip
    answer = Answer(keep)
    answer.whole(json.dumps(said).encode())
    assert (answer.finish_reason, answer.output_tokens, answer.cached_tokens) == ("length", 40, 8)
    assert answer.text == ("Hello" if keep else None)
    assert "labels" not in answer.measured()


def test_the_responses_api():
    done = {
        "id": "resp_1", "model": "m", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
        "output": [{"content": [{"type": "output_text", "text": "Hello"}]}],
        "usage": {"input_tokens": 5, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 4}},
    }  # fmt: skip
    streamed, at_once = Answer(True), Answer(True)
    streamed.part(
        {"type": "response.created", "response": {"id": "resp_1", "model": "m", "status": "in_progress"}}, 0.0
    )
    streamed.part({"type": "response.output_text.delta", "delta": "Hel"}, 1.0)
    streamed.part({"type": "response.output_text.delta", "delta": "lo"}, 2.0)
    streamed.part({"type": "response.incomplete", "response": done}, 2.0)
    at_once.whole(done)
    for answer in (streamed, at_once):
        found = (answer.id, answer.finish_reason, answer.prompt_tokens, answer.output_tokens, answer.cached_tokens)
        assert found == ("resp_1", "max_output_tokens", 5, 7, 4)
        assert answer.text == "Hello"
    assert (streamed.chunks, streamed.first_at) == (2, 1.0)


def test_an_error_within_a_stream():
    answer = Answer()
    answer.event(b'{"error":{"message":"no","type":"InternalServerError","code":500}}', 1.0)
    assert answer.error == "InternalServerError"


@pytest.mark.parametrize(
    ("body", "model", "prompt"),
    [
        (b'{"model":"a/b","prompt":"Hi"}', "a/b", "Hi"),
        (b'{"prompt":["Hi","there"],"model" : "m"}', "m", "Hi\nthere"),
        (b'{"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"}]}', None, "one\ntwo"),
        (b'{"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]}', None, "Hi"),
        (b'{"prompt":"\\"model\\":\\"x\\""}', None, '"model":"x"'),
        (b'{"prompt":"' + b"x" * 9000 + b'","model":"m"}', "m", "x" * 9000),
        (b'{"metadata":{"model":"x"},"messages":[{"model":"y"}],"model":"m","tools":[{"model":"z"}]}', "m", None),
        (b'{"model":"a","model":"b"}', "b", None),
        (b'{"model":"a","m\\u006fdel":"b"}', "b", None),
        (b'{"model":"\\u006d"}', "m", None),
        (b'{"model":["m"]}', None, None),
        (b'{"model":"' + b"m" * 201 + b'"}', None, None),
        (b' {"model": "m", "messages": [{"content": "cut', "m", None),
        (b"[1, 2]", None, None),
        (b"no json", None, None),
        (b"", None, None),
    ],
)
def test_what_was_asked(body, model, prompt):
    assert model_of(body) == model
    assert prompt_of(body) == prompt
