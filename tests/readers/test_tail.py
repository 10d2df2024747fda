"""A log that grows, is rotated, cut short, and read by one process after another."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.errors import InputError
from driftwatch.readers.tail import Tail


def taken(tail: Tail) -> list[bytes]:
    return [line for block in tail.blocks() for line in block.data.splitlines()]


def append(path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "requests.jsonl"


@pytest.fixture
def tail(log):
    following = Tail(log)
    yield following
    following.close()


def test_half_a_line_waits_for_its_other_half(tail, log):
    assert taken(tail) == []
    append(log, b"one\ntw")
    assert taken(tail) == [b"one"]
    assert taken(tail) == []
    append(log, b"o\nthree\n")
    assert taken(tail) == [b"two", b"three"]


def test_lines_are_numbered(tail, log):
    append(log, b"a\n\nb\n")
    assert [(block.line, block.rows) for block in tail.blocks()] == [(1, 3)]
    append(log, b"c\n")
    assert [(block.line, block.rows) for block in tail.blocks()] == [(4, 1)]


@pytest.mark.parametrize("start", [b"", b"old\n", b"old\nhalf", b"x" * 3000, b"a\n" * 3000])
def test_only_what_comes_where_that_is_asked_for(log, start):
    append(log, start)
    tail = Tail(log, from_start=False, block=1024)
    append(log, b" rest\nnew\n")
    found = taken(tail)
    assert found[-1] == b"new"
    assert len(found) == 2
    assert found[0] == (start.rpartition(b"\n")[2] + b" rest")
    tail.close()


@pytest.mark.parametrize("late", [b"", b"late\n"])
def test_rotation_by_rename(tail, log, late):
    append(log, b"one\n")
    assert taken(tail) == [b"one"]
    append(log, b"two\n")
    log.rename(log.with_name("requests.jsonl.1"))
    assert taken(tail) == [b"two"]
    append(log, b"three\n")
    append(log.with_name("requests.jsonl.1"), late)  # its writer has not noticed yet
    found = [*taken(tail), *taken(tail), *taken(tail)]
    assert found == [*late.splitlines(), b"three"]


def test_a_new_file_that_stays_empty_leaves_time_to_the_old_one(tail, log):
    append(log, b"one\n")
    taken(tail)
    old = log.with_name("requests.jsonl.1")
    log.rename(old)
    log.touch()
    for number in range(10):
        append(old, b"%d\n" % number)
        assert taken(tail) == [b"%d" % number]
        assert taken(tail) == []
    append(log, b"new\n")
    assert [*taken(tail), *taken(tail), *taken(tail)] == [b"new"]


def test_what_a_rotated_file_ends_in_is_given_even_without_a_newline(tail, log):
    append(log, b"one\nlast")
    assert taken(tail) == [b"one"]
    log.rename(log.with_name("requests.jsonl.1"))
    append(log, b"two\n")
    assert [*taken(tail), *taken(tail), *taken(tail)] == [b"last", b"two"]


@pytest.mark.parametrize("more", [b"new\n", b"new and longer than what was there\n"])
def test_rotation_by_copy_and_truncate(log, more):
    notes = []
    tail = Tail(log, note=notes.append)
    append(log, b"one\ntwo\n")
    assert taken(tail) == [b"one", b"two"]
    os.truncate(log, 0)
    append(log, more)
    assert taken(tail) == [more.strip()]
    assert "cut short" in notes[0]
    tail.close()


def test_a_line_that_is_too_long_is_skipped_and_fills_no_memory(log):
    tail = Tail(log, longest=1000, block=100)
    append(log, b"one\n" + b"x" * 5000)
    assert taken(tail) == [b"one"]
    append(log, b"x" * 5000)
    assert taken(tail) == []
    append(log, b"\ntwo\n" + b"y" * 900 + b"\n")
    assert taken(tail) == [b"two", b"y" * 900]
    assert tail.skipped == 1
    tail.close()


def test_an_offset_goes_on_where_it_was_taken(log):
    first = Tail(log)
    append(log, b"one\ntwo\nha")
    taken(first)
    offset = json.loads(json.dumps(first.offset))
    first.close()
    append(log, b"lf\nthree\n")
    second = Tail(log, offset)
    assert taken(second) == [b"half", b"three"]
    second.close()


def test_a_file_that_was_rotated_while_nobody_followed_is_read_to_its_end(log):
    first = Tail(log)
    append(log, b"one\n")
    taken(first)
    offset = first.offset
    first.close()
    append(log, b"two\n")
    log.rename(log.with_name("requests.jsonl-20260101"))
    append(log, b"three\n")
    second = Tail(log, offset)
    assert [*taken(second), *taken(second), *taken(second)] == [b"two", b"three"]
    second.close()


def test_several_rotations_while_nobody_followed(log):
    first = Tail(log)
    append(log, b"one\n")
    taken(first)
    offset = first.offset
    first.close()
    for number in (3, 2, 1):
        append(log, b"before %d\n" % number)
        log.rename(log.with_name(f"requests.jsonl.{number}"))
        os.utime(log.with_name(f"requests.jsonl.{number}"), (100 - number, 100 - number))
    append(log, b"now\n")
    append(log.with_name("requests.jsonl.1.gz"), b"compressed")
    append(log.with_name("requests.jsonl.bak"), b"somebody's copy\n")
    second, found = Tail(log, offset), []
    for _ in range(10):
        found += taken(second)
    second.close()
    assert found == [b"before 3", b"before 2", b"before 1", b"now"]


def test_a_file_that_is_gone_is_said_to_be(log):
    first = Tail(log)
    append(log, b"one\n")
    taken(first)
    offset, notes = first.offset, []
    first.close()
    log.unlink()
    append(log, b"other\n")
    second = Tail(log, offset, note=notes.append)
    assert taken(second) == [b"other"]
    assert "is gone" in notes[0]
    second.close()


@pytest.mark.parametrize("offset", [{}, {"at": 3}, {"device": "x", "inode": None, "head": 1, "digest": 2, "at": 0}])
def test_an_offset_that_says_nothing_is_no_offset(log, offset):
    append(log, b"one\n")
    tail = Tail(log, offset)
    assert taken(tail) == [b"one"]
    tail.close()


def test_a_folder_in_its_place_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        Tail(tmp_path)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.just(("rotate", 0)),
        st.just(("look", 0)),
        st.just(("restart", 0)),
    ),
    max_size=30,
)


@settings(max_examples=150)
@given(ACTIONS)
def test_whatever_happens_every_line_is_given_once_and_in_order(tmp_path_factory, actions):
    """Writes of any size, looks, rotations and restarts in any order."""
    folder = tmp_path_factory.mktemp("tail")
    log, found, written, rotated = folder / "log", [], b"", 0
    log.touch()
    text = b"".join(b"line %d\n" % n for n in range(200))
    tail = Tail(log, block=16, longest=64)
    for what, size in actions:
        if what == "write":
            piece = text[len(written) : len(written) + size]
            append(log, piece)
            written += piece
        elif what == "rotate" and log.stat().st_size and written.endswith(b"\n"):
            rotated += 1
            log.rename(folder / f"log.{rotated}")
            log.touch()
            found += taken(tail)  # somebody looks between two rotations
            append(log, piece := text[len(written) : len(written) + 40])
            written += piece
            found += [*taken(tail), *taken(tail), *taken(tail)]
        elif what == "look":
            found += taken(tail)
        elif what == "restart":
            found += taken(tail)
            offset = tail.offset
            tail.close()
            tail = Tail(log, offset, block=16, longest=64)
    found += taken(tail)
    tail.close()
    assert found == written[: written.rfind(b"\n") + 1].splitlines()
