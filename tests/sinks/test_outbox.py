"""At least once, in order for each incident, within bounds, by one process or several."""

import logging
import os
import sqlite3
import threading
import time
from contextlib import suppress
from itertools import pairwise

import pytest
from delivering.servers import wait_for
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.errors import ConfigError, DeliveryError, StateError
from driftwatch.sinks import JsonLines, Outbox, Policy
from tests.sinks.scripted import Clock, Scripted, down
from tests.sinks.stories import life, opened, resolved, updated


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def box(tmp_path, clock):
    """Make an outbox on one file with this clock."""
    made = []

    def make(*sinks, **more):
        made.append(Outbox(tmp_path / "outbox.db", sinks, clock=clock, **more))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close()


def seqs(sink, name="dw-0001"):
    return [seq for incident, seq in sink.taken if incident == name]


def test_what_is_put_is_delivered_in_order(box):
    sink = Scripted()
    outbox = box(sink)
    assert outbox.put(life(updates=2)) == 4
    outcomes = outbox.deliver()
    assert [(o.incident, o.seq, o.result) for o in outcomes] == [("dw-0001", n, "delivered") for n in (1, 2, 3, 4)]
    assert seqs(sink) == [1, 2, 3, 4]
    assert outbox.deliver() == []


def test_what_is_put_twice_is_delivered_once(box):
    sink = Scripted()
    outbox = box(sink)
    outbox.put(life())
    outbox.deliver()
    assert outbox.put(life()) == 0
    assert outbox.deliver() == []
    assert seqs(sink) == [1, 2, 3]


def test_it_is_on_disk_when_put_returns(tmp_path, box):
    box(Scripted()).put(life())
    sink = Scripted()
    assert len(box(sink).deliver()) == 3
    assert seqs(sink) == [1, 2, 3]


def test_a_failure_is_tried_again_with_growing_delays_and_nothing_overtakes(box, clock):
    sink = Scripted(fate=down())
    outbox = box(sink, policy=Policy(first_delay_s=10, trip_after=99))
    outbox.put(life())
    attempts = []
    while len(attempts) < 4:
        attempts += [(o.seq, clock.now) for o in outbox.deliver()]
        clock.pass_(0.5)
    assert [seq for seq, _ in attempts] == [1, 1, 1, 1]
    waits = [later - earlier for (_, earlier), (_, later) in pairwise(attempts)]
    assert all(low <= wait <= 2 * low + 0.5 for wait, low in zip(waits, (5, 10, 20), strict=True))
    sink.fate = lambda letters: None
    clock.pass_(1000)
    outbox.deliver()
    assert seqs(sink) == [1, 2, 3]


def test_retry_after_is_honoured(box, clock):
    errors = [DeliveryError("throttled", "slow down", after_s=120)]
    sink = Scripted(fate=lambda letters: errors.pop() if errors else None)
    outbox = box(sink)
    outbox.put([opened(), opened("dw-0002")])
    assert len(outbox.deliver()) == 1  # the other one is left alone as well: it is the destination that asked
    clock.pass_(119)
    assert outbox.deliver() == []
    clock.pass_(1)
    assert [o.result for o in outbox.deliver()] == ["delivered", "delivered"]


def test_a_destination_that_fails_again_and_again_is_left_alone(box, clock):
    sink = Scripted(fate=down())
    outbox = box(sink, policy=Policy(first_delay_s=10, trip_after=3))
    outbox.put([opened(f"dw-{n:04}") for n in range(20)])
    assert len(outbox.deliver()) == 3
    assert outbox.deliver() == []
    clock.pass_(10)
    assert len(outbox.deliver()) == 1  # one attempt to see whether it is back
    sink.fate = lambda letters: None
    clock.pass_(1000)
    assert len(outbox.deliver()) == 20


def test_a_success_is_a_fresh_start(box, clock):
    sink = Scripted(fate=down())
    outbox = box(sink, policy=Policy(first_delay_s=1, trip_after=3))
    outbox.put([opened("dw-0001"), opened("dw-0002")])
    assert len(outbox.deliver()) == 2
    sink.fate = lambda letters: None
    clock.pass_(3)
    assert len(outbox.deliver()) == 2
    sink.fate = down()
    outbox.put([opened("dw-0003"), opened("dw-0004")])
    assert len(outbox.deliver()) == 2  # the first failure in a row again, not the third


def test_one_that_hangs_comes_last(box, clock):
    broken, fine = Scripted("broken", down()), Scripted("fine")
    outbox = box(broken, fine)
    outbox.put([opened()])
    assert [o.sink for o in outbox.deliver()] == ["broken", "fine"]
    clock.pass_(1000)
    outbox.put([opened("dw-0002")])
    assert outbox.deliver()[0].sink == "fine"


def test_what_is_refused_is_a_dead_letter_and_can_be_replayed(box):
    sink = Scripted(fate=down("refused", retry=False))
    outbox = box(sink)
    outbox.put(life(updates=0))
    assert [o.result for o in outbox.deliver()] == ["dead", "dead"]
    assert outbox.stats()["scripted"].dead == 2
    assert [(e.seq, e.status, e.reason) for e in outbox.entries("dead")] == [
        (1, "dead", "refused"),
        (2, "dead", "refused"),
    ]
    sink.fate = lambda letters: None
    assert outbox.replay(incident="dw-other") == 0
    assert outbox.replay(sink="scripted") == 2
    outbox.deliver()
    assert seqs(sink) == [1, 2]
    assert outbox.stats()["scripted"].dead == 0


def test_an_opening_that_is_replayed_is_followed_by_its_end(box, clock):
    sink = Scripted(fate=down("refused", retry=False))
    outbox = box(sink)
    outbox.put([opened(), opened("dw-0002")])
    outbox.deliver()
    sink.fate = lambda letters: None
    outbox.put([resolved(opened())])
    outbox.deliver()
    clock.pass_(120)
    outbox.deliver()  # upkeep forgets what is done with
    assert outbox.replay(incident="dw-0001") == 2
    outbox.deliver()
    assert seqs(sink) == [2, 1, 2]
    assert [e.incident for e in outbox.entries("dead")] == ["dw-0002"]


def test_the_thread_sleeps_while_there_is_nothing_to_do(box, clock):
    """What waits for another transition is not due, however long it has waited."""
    outbox = box(Scripted(fate=down()), policy=Policy(first_delay_s=100))
    outbox.put(life())
    outbox.deliver()
    assert outbox._wait_s(3600) >= 50
    clock.pass_(200)
    assert outbox._wait_s(3600) == 0


def test_gone_disables_a_destination_until_it_is_replayed(box):
    sink = Scripted(fate=down("gone", retry=False))
    outbox = box(sink)
    outbox.put([opened(), opened("dw-0002")])
    assert len(outbox.deliver()) == 1
    outbox.put([opened("dw-0003")])
    assert outbox.deliver() == []
    stats = outbox.stats()["scripted"]
    assert (stats.dead, stats.pending, stats.disabled) == (3, 0, "as told")
    sink.fate = lambda letters: None
    outbox.replay()
    assert len(outbox.deliver()) == 3
    assert outbox.stats()["scripted"].disabled == ""


def test_what_cannot_be_delivered_for_too_long_is_a_dead_letter(box, clock):
    outbox = box(Scripted(fate=down()), policy=Policy(max_age_s=3600))
    outbox.put([opened()])
    outbox.deliver()
    clock.pass_(3700)
    outbox.deliver()
    assert [e.reason for e in outbox.entries("dead")] == ["expired"]


def test_a_full_outbox_gives_up_old_updates_first(box, caplog):
    outbox = box(Scripted(fate=down()), policy=Policy(max_pending=4))
    story = [opened()]
    for _ in range(3):
        story.append(updated(story[-1]))
    outbox.put(story)
    with caplog.at_level(logging.ERROR):
        outbox.put([resolved(story[-1]), opened("dw-0002")])
    assert [e.seq for e in outbox.entries("dead")] == [2, 3]
    assert [(e.incident, e.seq) for e in outbox.entries("pending")] == [
        *(("dw-0001", n) for n in (1, 4, 5)),
        ("dw-0002", 1),
    ]
    assert "the outbox is full" in caplog.text


def test_dead_letters_are_bounded_and_what_is_deleted_is_counted(box, clock):
    outbox = box(Scripted(fate=down("refused", retry=False)), policy=Policy(max_dead=5))
    outbox.put([opened(f"dw-{n:04}") for n in range(12)])
    outbox.deliver()
    clock.pass_(61)
    outbox.deliver()
    stats = outbox.stats()["scripted"]
    assert (stats.dead, stats.lost) == (5, 7)


def test_the_file_does_not_grow_with_what_was_delivered(box, clock, tmp_path):
    sink = Scripted(most=50)
    outbox = box(sink, policy=Policy(keep_s=100))
    sizes = []
    for round_ in range(30):
        outbox.put([i for n in range(20) for i in life(f"dw-{round_}-{n}")])
        outbox.deliver()
        clock.pass_(61)
        with sqlite3.connect(tmp_path / "outbox.db") as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append((tmp_path / "outbox.db").stat().st_size)
    assert len(sink.taken) == 30 * 20 * 3
    assert max(sizes[5:]) <= 1.2 * max(sizes[:5])


def test_of_updates_that_wait_only_the_newest_is_news_to_people(box, clock):
    sink = Scripted(fate=down(), every=False)
    outbox = box(sink)
    story = life(updates=4)
    outbox.put(story[:1])
    outbox.deliver()
    outbox.put(story[1:5])
    sink.fate = lambda letters: None
    clock.pass_(1000)
    outbox.deliver()
    assert seqs(sink) == [1, 5]
    outbox.put(story[5:])
    outbox.deliver()
    assert seqs(sink) == [1, 5, 6]


def test_what_opens_together_is_one_message(box):
    sink = Scripted(most=10)
    outbox = box(sink)
    outbox.put([*life("dw-0001", updates=0), opened("dw-0002"), opened("dw-0003")])
    outbox.deliver()
    assert sink.messages == [[("dw-0001", 1), ("dw-0002", 1), ("dw-0003", 1)], [("dw-0001", 2)]]


def test_one_that_is_refused_does_not_take_the_others_with_it(box):
    poison = "dw-0002"
    sink = Scripted(
        most=10,
        fate=lambda letters: (
            DeliveryError("refused", "no", retry=False)
            if any(letter.incident.id == poison for letter in letters)
            else None
        ),
    )
    outbox = box(sink)
    outbox.put([opened(f"dw-000{n}") for n in (1, 2, 3)])
    outbox.deliver()
    assert sorted(sink.taken) == [("dw-0001", 1), ("dw-0003", 1)]
    assert [e.incident for e in outbox.entries("dead")] == [poison]


def test_what_stands_is_said_again_until_what_comes_next(box, clock):
    sink = Scripted(again_s=60)
    outbox = box(sink)
    outbox.put([opened()])
    for _ in range(3):
        outbox.deliver()
        clock.pass_(60)
    assert seqs(sink) == [1, 1, 1]
    outbox.put([resolved(opened())])
    outbox.deliver()
    clock.pass_(60)
    outbox.deliver()
    assert seqs(sink) == [1, 1, 1, 2, 2]
    assert outbox.stats()["scripted"].standing == 1


def test_what_stands_falls_silent_when_its_incident_is_not_heard_of_any_more(box, clock):
    sink = Scripted(again_s=60)
    outbox = box(sink, policy=Policy(keep_s=3600))
    outbox.put([opened()])
    for _ in range(80):
        outbox.deliver()
        clock.pass_(60)
    assert 59 <= len(sink.taken) <= 63


def test_a_sink_remembers(box):
    sink = Scripted()
    outbox = box(sink)
    outbox.put(life())
    outbox.deliver()
    assert sink.memories == [{}, {"seen": "1"}, {"seen": "2"}]


def test_an_unexpected_error_is_a_failure_like_others_and_its_words_are_not_kept(box, caplog):
    sink = Scripted(fate=lambda letters: ValueError("s3cret"))
    outbox = box(sink)
    outbox.put([opened()])
    (outcome,) = outbox.deliver()
    assert (outcome.result, outcome.reason, outcome.problem) == ("again", "error", "ValueError")
    assert "s3cret" not in caplog.text
    assert outbox.stats()["scripted"].failed == {"error": 1}


def test_what_a_killed_process_was_sending_is_taken_over_when_its_lease_ends(box, clock):
    dead, alive = Scripted(), Scripted()

    def die(letters):
        raise KeyboardInterrupt  # as good as SIGKILL to the outbox: nothing is written down

    dead.fate = die
    first, second = box(dead, policy=Policy(lease_s=30)), box(alive, policy=Policy(lease_s=30))
    first.put(life())
    with pytest.raises(KeyboardInterrupt):
        first.deliver()
    assert second.deliver() == []
    clock.pass_(31)
    second.deliver()
    assert seqs(alive) == [1, 2, 3]


def test_nobody_sends_another_transition_of_what_somebody_is_sending(box, clock):
    """A repetition that is under way must not arrive after the end."""
    first, second = Scripted(again_s=60), Scripted(again_s=60)
    mine, others = box(first), box(second)
    mine.put([opened()])
    mine.deliver()
    clock.pass_(60)

    def meanwhile(letters):
        others.put([resolved(opened())])
        assert others.deliver() == []

    first.fate = meanwhile
    mine.deliver()
    assert seqs(first) == [1, 1, 2]
    assert seqs(second) == []


def test_who_was_too_slow_does_not_undo_what_others_did_meanwhile(box, clock):
    second = Scripted()
    others = box(second)

    def slow(letters):
        clock.pass_(31)
        others.deliver()
        return DeliveryError("refused", "no", retry=False)

    mine = box(Scripted(fate=slow))
    mine.put([opened()])
    mine.deliver()
    assert seqs(second) == [1]
    assert mine.entries("dead") == []


def test_a_stranger_s_file_is_not_touched(tmp_path):
    (tmp_path / "outbox.db").write_text("my diary\n" * 100)
    with pytest.raises(StateError, match=r"outbox\.db: the outbox cannot be used"):
        Outbox(tmp_path / "outbox.db", [Scripted()]).put([opened()])
    assert (tmp_path / "outbox.db").read_text().startswith("my diary")


def test_a_newer_file_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="newer driftwatch"):
        Outbox(tmp_path / "outbox.db").stats()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="the outbox cannot be opened"):
        Outbox(tmp_path / "file" / "outbox.db").stats()


def test_a_record_of_another_version_is_a_dead_letter(box, tmp_path):
    outbox = box(sink := Scripted())
    outbox.put([opened(), opened("dw-0002")])
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("UPDATE transition SET record = x'00' WHERE incident = 'dw-0001'")
    assert sorted(o.result for o in outbox.deliver()) == ["dead", "delivered"]
    assert sink.taken == [("dw-0002", 1)]
    assert [e.reason for e in outbox.entries("dead")] == ["unreadable"]


def test_only_the_owner_may_read_the_file(box, tmp_path):
    box(Scripted()).put([opened()])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("outbox.db*")}
    assert set(modes.values()) == {0o600}


def test_two_sinks_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="two sinks are called 'scripted'"):
        Outbox(tmp_path / "outbox.db", [Scripted(), Scripted()])


def test_drop_gives_up_for_good(box):
    outbox = box(sink := Scripted(fate=down()))
    outbox.put(life())
    assert outbox.drop(incident="dw-0001") == 3
    sink.fate = lambda letters: None
    assert outbox.put(life()) == 0
    assert outbox.deliver() == []


def test_letters_of_a_sink_that_is_not_configured_any_more_wait_and_die(box, clock):
    box(Scripted("old")).put([opened()])
    outbox = box(Scripted("new"), policy=Policy(max_age_s=3600))
    assert outbox.deliver() == []
    assert outbox.stats()["old"].pending == 1
    clock.pass_(3700)
    outbox.deliver()
    assert outbox.stats()["old"].dead == 1


def test_the_default_file_is_in_the_folder_for_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Outbox().path == tmp_path / "driftwatch" / "outbox.db"


def test_a_background_thread_delivers_and_stops(tmp_path):
    sink = Scripted()
    before = threading.active_count()
    with Outbox(tmp_path / "outbox.db", [sink]) as outbox:
        assert threading.active_count() == before + 1
        outbox.put(life())
        wait_for(lambda: len(sink.taken) == 3)
    assert threading.active_count() == before
    outbox.put([opened("dw-0002")])
    time.sleep(0.1)
    assert len(sink.taken) == 3
    outbox.start()
    wait_for(lambda: len(sink.taken) == 4)
    outbox.close()


def test_closing_delivers_what_is_due_but_does_not_wait_for_what_hangs(tmp_path):
    quick = Scripted()
    outbox = Outbox(tmp_path / "a.db", [quick]).start()
    outbox.put([opened(f"dw-{n}") for n in range(50)])
    outbox.close()
    assert len(quick.taken) == 50

    release = threading.Event()
    hanging = Scripted(fate=lambda letters: release.wait(20) and None)
    outbox = Outbox(tmp_path / "b.db", [hanging]).start()
    outbox.put([opened()])
    time.sleep(0.1)
    begun = time.monotonic()
    outbox.close(timeout=0.3)
    assert time.monotonic() - begun < 2
    release.set()


def test_a_thread_survives_a_file_that_cannot_be_written_for_a_while(tmp_path, caplog):
    folder = tmp_path / "state"
    folder.write_text("in the way")
    sink = Scripted()
    outbox = Outbox(folder / "outbox.db", [sink]).start()
    with pytest.raises(StateError):
        outbox.put([opened()])
    wait_for(lambda: "the outbox cannot be opened" in caplog.text)
    folder.unlink()
    outbox.put([opened()])
    wait_for(lambda: sink.taken)
    outbox.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_delivers_on_its_own_and_its_parent_goes_on(tmp_path):
    sink = JsonLines(tmp_path / "out.jsonl")
    outbox = Outbox(tmp_path / "outbox.db", [sink], policy=Policy(lease_s=2)).start()
    outbox.put([opened("dw-parent-1")])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            inherited = outbox._database._open
            outbox.put([opened("dw-child")])
            status = int(outbox._database._open is inherited)  # a parent's connection must not be used
            outbox.close()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    outbox.put([opened("dw-parent-2")])
    outbox.close()
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert sorted(line.split('"id":"')[1].split('"')[0] for line in lines) == ["dw-child", "dw-parent-1", "dw-parent-2"]


def test_several_threads_put_at_once(tmp_path):
    sink = Scripted(most=100)
    outbox = Outbox(tmp_path / "outbox.db", [sink])
    threads = [
        threading.Thread(target=lambda k=k: [outbox.put(life(f"dw-{k}-{n}")) for n in range(10)]) for k in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.deliver()
    outbox.close()
    assert len(sink.taken) == 5 * 10 * 3


FAULTS = st.sampled_from([None, None, "server", "timeout", "throttled", "refused", "killed"])


@settings(max_examples=40)
@given(data=st.data(), most=st.sampled_from([1, 3]), senders=st.integers(1, 3))
def test_whatever_fails_everything_arrives_in_order(tmp_path_factory, data, most, senders):
    """Senders share a file, fail and die; the transitions of an incident arrive in order, only refused ones do not."""
    clock = Clock()
    taken, refused = [], set()

    class Killed(BaseException):
        pass

    def fate(letters):
        fault = data.draw(FAULTS)
        if fault == "killed":
            if data.draw(st.booleans()):  # after it arrived
                taken.extend((letter.incident.id, letter.incident.seq) for letter in letters)
            raise Killed
        if fault == "refused" and len(letters) == 1:
            refused.add((letters[0].incident.id, letters[0].incident.seq))
        if fault:
            return DeliveryError(fault, "as told", retry=fault != "refused")
        taken.extend((letter.incident.id, letter.incident.seq) for letter in letters)
        return None

    path = tmp_path_factory.mktemp("box") / "outbox.db"
    boxes = [Outbox(path, [Scripted(fate=fate, most=most)], clock=clock) for _ in range(senders)]
    stories = [life(f"dw-{n}", updates=n) for n in range(3)]
    for incident in (i for story in zip(*[s + [None] * 9 for s in stories], strict=False) for i in story if i):
        boxes[0].put([incident])
        sender = data.draw(st.sampled_from(boxes))
        with suppress(Killed):
            sender.deliver()
        clock.pass_(data.draw(st.sampled_from([0.0, 5.0, 40.0])))
    for box in boxes:
        for sink in box._sinks.values():
            sink.fate = lambda letters: taken.extend((x.incident.id, x.incident.seq) for x in letters)
    clock.pass_(4000)
    boxes[-1].deliver()
    for box in boxes:
        box.close()
    wanted = {(i.id, i.seq) for story in stories for i in story}
    assert wanted - refused <= set(taken)
    for story in stories:
        first = list(dict.fromkeys(seq for name, seq in taken if name == story[0].id))
        assert first == sorted(first)
        each = [seq for name, seq in taken if name == story[0].id]
        assert all(b >= a for a, b in pairwise(each))


def test_a_record_of_any_size_is_kept_small(box):
    outbox = box(sink := Scripted())
    seen = []
    sink.fate = lambda letters: seen.append(letters[0].incident) or None
    huge = opened().model_copy(update={"notes": tuple(os.urandom(5000).hex() for _ in range(500))})
    outbox.put([huge])
    assert outbox.path.stat().st_size + outbox.path.with_name("outbox.db-wal").stat().st_size < 1_000_000
    outbox.deliver()
    assert [note[:200] for note in huge.notes[:40]] == list(seen[0].notes)
