import pytest

from driftwatch.errors import InputError
from driftwatch.readers import Quarantine


def test_counts_by_source_and_reason_and_keeps_the_first_lines():
    quarantine = Quarantine()
    for line in range(1, 100):
        quarantine.add("a", "bad", line)
    quarantine.add("b", "bad")
    first, second = quarantine.rows()
    assert (first.source, first.count, first.lines) == ("a", 99, [1, 2, 3, 4, 5])
    assert (second.source, second.count, second.lines) == ("b", 1, [])
    assert quarantine.total == 100
    assert str(first) == "a: 99 x bad (first at 1, 2, 3, 4, 5)"


def test_it_stays_small_however_many_sources_there_are():
    quarantine = Quarantine()
    for i in range(5000):
        quarantine.add(f"file-{i}", "bad", i)
        quarantine.note(f"note {i}")
    assert len(quarantine.rows()) == 1001
    assert quarantine.total == 5000
    assert len(quarantine.notes) == 1000


def test_a_note_is_said_once():
    quarantine = Quarantine()
    quarantine.note("this")
    quarantine.note("this")
    assert quarantine.notes == ("this",)


@pytest.mark.parametrize(("good", "bad", "refused"), [(10, 10, False), (9, 11, True), (1, 18, False), (0, 1, True)])
def test_a_source_is_refused_for_too_large_a_share(good, bad, refused):
    quarantine = Quarantine(0.5)
    quarantine.count("a", good)
    quarantine.add_all("a", "bad", range(1, bad + 1), count=bad)
    if refused:
        with pytest.raises(InputError, match=f"a:1: {bad} of {good + bad} rows"):
            quarantine.close("a")
    else:
        quarantine.close("a")
