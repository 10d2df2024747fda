"""What one stream under watch has learnt, as plain arrays: a baseline file holds them."""

from __future__ import annotations

from collections.abc import Mapping

from driftwatch.baseline import learnt
from driftwatch.errors import StateError
from driftwatch.incidents.watch import StreamWatch
from driftwatch.statistics.buckets import Floats


def arrays_of(watch: StreamWatch) -> dict[str, Floats]:
    """What was learnt, by name."""
    found = {f"baseline.{key}": value for key, value in learnt.arrays_of(watch.baseline).items()}
    found |= {f"text.{key}": value for key, value in watch.text.arrays().items()}
    ready = {name: test for name, test in watch.tests.items() if test.ready}
    return found | {f"detector.{name}": test.detector.learnt[test.column] for name, test in ready.items()}


def take_arrays(watch: StreamWatch, arrays: Mapping[str, Floats]) -> None:
    """Take over what was learnt elsewhere: watching starts at once.

    Raises
    ------
    StateError
        If something is missing.
    """
    try:
        _take(watch, arrays)
    except KeyError as error:
        raise StateError(f"the baseline of {watch.title} lacks {error}: learn it anew with 'driftwatch fit'") from error


def _take(watch: StreamWatch, arrays: Mapping[str, Floats]) -> None:
    learnt.take_arrays(watch.baseline, _part("baseline.", arrays))
    if said := _part("text.", arrays):
        watch.text.restore(said)
        watch.know_tests()
    for name, test in watch.tests.items():
        if f"detector.{name}" in arrays:
            test.detector.restore(test.column, arrays[f"detector.{name}"])


def _part(prefix: str, arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
