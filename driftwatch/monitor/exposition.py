"""The monitor's own health and its verdicts as a Prometheus page: for Grafana to plot and Alertmanager to fire on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from driftwatch.monitor.stats import Stats

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What such a page is served as."""

_MOST = 2000  # samples of one family: what is beyond is left out, so that the page stays small
_MOST_CAUSE = 100  # characters

Sample = tuple[Mapping[str, str], float]
Family = tuple[str, Literal["counter", "gauge"], str, Iterable[Sample]]


def exposition(stats: Stats, incidents: Sequence[Incident], sinks: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    stats
        How the monitor is doing.
    incidents
        Those that are open, and others.
    sinks
        By name of a destination, how it does (``driftwatch.sinks.SinkStats``).

    Examples
    --------
    >>> page = exposition(Stats(state="learning", threshold=8.4, queue=3), [], {})
    >>> [line for line in page.splitlines() if "queue" in line][-1]
    'driftwatch_queue_length 3'
    """
    families = (*_events(stats), *_verdicts(stats, incidents), *_health(stats), *_outbox(sinks))
    return "".join(_written(*family) for family in families)


def _events(stats: Stats) -> Iterator[Family]:
    requests = [({"stream": s.name}, s.requests) for s in stats.streams]
    yield "driftwatch_requests_total", "counter", "Completed requests by stream.", requests
    shed = [({"reason": reason}, n) for reason, n in stats.shed.items()]
    yield "driftwatch_shed_total", "counter", "Calls that were not taken, by reason.", shed
    bad = [({"reason": reason}, n) for reason, n in stats.quarantined.items()]
    yield "driftwatch_quarantined_total", "counter", "Events that cannot be used, by reason.", bad
    yield "driftwatch_late_total", "counter", "Requests that came after their tick was final.", _one(stats.late)
    yield "driftwatch_duplicates_total", "counter", "Requests whose id had come already.", _one(stats.duplicates)


def _verdicts(stats: Stats, incidents: Sequence[Incident]) -> Iterator[Family]:
    states = [({"state": state}, sum(s.state == state for s in stats.streams)) for state in ("learning", "watching")]
    yield "driftwatch_streams", "gauge", "Streams by state.", states
    evidence = (({"stream": s.name, "signal": k}, e) for s in stats.streams for k, e in s.evidence.items())
    yield "driftwatch_evidence", "gauge", "log10 of the e-value against 'nothing changed'.", evidence
    yield "driftwatch_threshold", "gauge", "log10 of the e-value at which an alarm is raised.", _one(stats.threshold)
    alive = [(_labels(incident), 1) for incident in incidents if incident.status != "resolved"]
    yield "driftwatch_incident", "gauge", "1 while an incident is open or acknowledged.", alive
    told = [({"kind": kind, "severity": severity}, n) for (kind, severity), n in sorted(stats.incidents.items())]
    yield "driftwatch_incidents_total", "counter", "Incidents that were opened.", told


def _labels(incident: Incident) -> dict[str, str]:
    cause = next((cause.name for cause in incident.causes if cause.tier != "ruled_out"), "unknown")
    return {
        "id": incident.id,
        "stream": incident.stream,
        "kind": incident.kind,
        "severity": incident.severity,
        "cause": cause[:_MOST_CAUSE],
    }


def _health(stats: Stats) -> Iterator[Family]:
    lag = [] if stats.tick_lag_s is None else _one(stats.tick_lag_s)
    yield "driftwatch_tick_lag_seconds", "gauge", "From the end of the newest judged tick until now.", lag
    yield "driftwatch_queue_length", "gauge", "Calls that wait.", _one(stats.queue)
    saved = [] if stats.checkpoint_at is None else _one(stats.checkpoint_at)
    yield "driftwatch_checkpoint_timestamp_seconds", "gauge", "When the newest checkpoint was written.", saved
    failed = _one(stats.faults.get("checkpoint", 0))
    yield "driftwatch_checkpoint_errors_total", "counter", "Checkpoints that could not be written or read.", failed
    faults = [({"where": where}, n) for where, n in stats.faults.items()]
    yield "driftwatch_faults_total", "counter", "Faults of driftwatch that were caught.", faults
    cpu = _one(stats.background_cpu_s)
    yield "driftwatch_background_cpu_seconds_total", "counter", "CPU time of the background thread.", cpu
    yield "driftwatch_clock_jumps_total", "counter", "Times that the wall clock jumped.", _one(stats.clock_jumps)


def _outbox(sinks: Mapping[str, Any]) -> Iterator[Family]:
    def each(name: str) -> list[Sample]:
        return [({"sink": sink}, getattr(stats, name)) for sink, stats in sinks.items()]

    yield "driftwatch_outbox_pending", "gauge", "Transitions that wait for a destination.", each("pending")
    yield "driftwatch_outbox_dead", "gauge", "Transitions that were given up.", each("dead")
    yield "driftwatch_outbox_delivered_total", "counter", "Transitions that were delivered.", each("delivered")
    failed = [({"sink": k, "reason": reason}, n) for k, stats in sinks.items() for reason, n in stats.failed.items()]
    yield "driftwatch_outbox_failed_total", "counter", "Attempts to deliver that failed, by reason.", failed


def _one(value: float) -> list[Sample]:
    return [({}, value)]


def _written(name: str, kind: str, help: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help}\n", f"# TYPE {name} {kind}\n"]
    for labels, value in islice(samples, _MOST):
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{'{' + pairs + '}' if pairs else ''} {value!r}\n")
    return "".join(lines)


def _escaped(text: str) -> str:
    r"""A label's value as the text format wants it.

    Examples
    --------
    >>> _escaped('a "b"\n')
    'a \\"b\\"\\n'
    """
    plain = text.encode("utf-8", "replace").decode()
    return plain.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
