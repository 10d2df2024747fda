"""Alerts that you already have: the simple comparisons of Prometheus rule files, as checks.

Read are ``series``, ``rate()``, ``increase()`` and ``avg_over_time()`` of one, times or plus numbers, one such over
another, compared with a number. What is not read is listed with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from driftwatch._optional import load
from driftwatch.attribution.checks.standard import STANDARD, Comparison, Rule, measured_as
from driftwatch.config import Health
from driftwatch.errors import ConfigError
from driftwatch.events.catalogue import Series, resolve
from driftwatch.events.engines import ENGINE_SERIES
from driftwatch.incidents.models import Layer

Labels = tuple[tuple[str, str], ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_:][\w:]*)"
    r"""|(?P<labels>\{(?:[^{}"']|"[^"]*"|'[^']*')*\})|(?P<range>\[[^\]]*\])|(?P<op>==|!=|>=|<=|[-+*/<>()])|(?P<bad>\S))"""
)
_MATCHER = re.compile(r"""\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*(?:,|$)""")
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_OVER_TIME = ("rate", "increase", "avg_over_time")
_COMPARISONS: dict[str, Comparison] = {c: c for c in (">", "<", ">=", "<=", "==", "!=")}


@dataclass(frozen=True, slots=True)
class NotRead:
    """A rule that is not watched, and why.

    Parameters
    ----------
    name
        The alert, or the recorded series.
    expr
        Its expression.
    reason
        What of it is not understood.
    source
        The file.
    """

    name: str
    expr: str
    reason: str
    source: str

    def __str__(self) -> str:
        return f"{self.source}: {self.name} is not read: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Term:
    """``offset + factor * series / per``; without a series a number, its ``offset``."""

    factor: float = 0.0
    offset: float = 0.0
    series: str = ""
    per: str = ""
    labels: Labels = ()
    window_s: float = 0.0
    layer: Layer = "infrastructure"


class _NotSimpleError(Exception):
    """The message is the reason that the user reads."""


def configured(health: Health, names: Mapping[str, str] | None = None) -> tuple[tuple[Rule, ...], tuple[NotRead, ...]]:
    """All checks that a configuration asks for, and the rules of its files that are not read.

    Parameters
    ----------
    health
        The section of the configuration.
    names
        Series names of your own: ``{their_name: our_name}``.

    Raises
    ------
    ConfigError
        If a rule file cannot be read.
    """
    standard = STANDARD if health.standard else ()
    read = [read_rules(path, names) for path in health.rules_files]
    own = tuple(Rule.of(check, names) for check in health.checks)
    return standard + own + tuple(r for rules, _ in read for r in rules), tuple(n for _, rest in read for n in rest)


def read_rules(
    path: str | Path, names: Mapping[str, str] | None = None
) -> tuple[tuple[Rule, ...], tuple[NotRead, ...]]:
    """Read a Prometheus rule file, or the ``PrometheusRule`` object that wraps one.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, or holds no groups of rules.
    MissingExtra
        If PyYAML is not installed.
    """
    yaml = load("yaml", "batch")
    try:
        documents = list(yaml.safe_load_all(Path(path).read_text(encoding="utf-8")))
        entries = [e for document in documents if document is not None for e in _entries(document)]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a YAML file ({error})") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a rule file: 'groups' of 'rules' are expected") from error
    results = [_read(entry, str(path), names or {}) for entry in entries]
    return tuple(r for r in results if isinstance(r, Rule)), tuple(r for r in results if isinstance(r, NotRead))


def _entries(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in document.get("spec", document)["groups"]:
        for entry in group.get("rules") or ():
            yield {str(key): value for key, value in entry.items()}


def _read(entry: Mapping[str, Any], source: str, names: Mapping[str, str]) -> Rule | NotRead:
    name = str(entry.get("alert", entry.get("record", "a rule without a name")))
    expr = " ".join(str(entry.get("expr", "")).split())
    try:
        if "alert" not in entry:
            raise _NotSimpleError("it records a series and is no alert")
        return replace(parse(expr, names), name=name, source=source, for_s=seconds(str(entry.get("for", "0s"))))
    except _NotSimpleError as reason:
        return NotRead(name, expr, str(reason), source)


def seconds(duration: str) -> float:
    """A duration as Prometheus writes it, in seconds.

    Examples
    --------
    >>> seconds("1h30m")
    5400.0
    """
    parts = _DURATION.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration and duration != "0":
        raise _NotSimpleError(f"'{duration}' is not a duration")
    return sum((float(number) * _SECONDS[unit] for number, unit in parts), 0.0)


def parse(expr: str, names: Mapping[str, str] | None = None) -> Rule:
    """Read one comparison; its name is the expression.

    Examples
    --------
    >>> rule = parse('100 * vllm:kv_cache_usage_perc{pod="a"} > 90')
    >>> rule.series, rule.factor, rule.comparison, rule.threshold, rule.labels, rule.layer
    ('kv_cache_usage', 100.0, '>', 90.0, (('pod', 'a'),), 'serving')
    """
    return _Parser(expr, names or {}).rule()


class _Parser:
    """Recursive descent over the few productions that are read."""

    def __init__(self, expr: str, names: Mapping[str, str]) -> None:
        self.expr, self.names = expr, names
        self.tokens = [(str(m.lastgroup), m.group(m.lastgroup or 0)) for m in _TOKEN.finditer(expr)]
        self.next = 0

    def rule(self) -> Rule:
        left = self.sum()
        kind, text = self.take()
        if kind == "end":
            raise _NotSimpleError("it compares nothing with a number")
        if text not in _COMPARISONS:
            raise _NotSimpleError(f"'{text}' is not understood here")
        right = self.sum()
        if self.peek()[0] != "end":
            raise _NotSimpleError(f"'{self.peek()[1]}' is not understood here")
        if not left.series or right.series:
            raise _NotSimpleError("only a series on the left and a number on the right are compared")
        return Rule(
            name=self.expr,
            series=left.series,
            comparison=_COMPARISONS[text],
            threshold=right.offset,
            per=left.per,
            labels=left.labels,
            window_s=left.window_s,
            factor=left.factor,
            offset=left.offset,
            layer=left.layer,
        )

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.next] if self.next < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.next += 1
        return token

    def took(self, *texts: str) -> str:
        return self.take()[1] if self.peek()[0] == "op" and self.peek()[1] in texts else ""

    def sum(self) -> _Term:
        term = self.product()
        while sign := self.took("+", "-"):
            term = _added(term, _scaled(self.product(), 1.0 if sign == "+" else -1.0))
        return term

    def product(self) -> _Term:
        term = self.atom()
        while sign := self.took("*", "/"):
            other = self.atom()
            term = _multiplied(term, other) if sign == "*" else _divided(term, other)
        return term

    def atom(self) -> _Term:
        if self.took("-"):
            return _scaled(self.atom(), -1.0)
        if self.took("("):
            return self.closed(self.sum())
        kind, text = self.take()
        if kind == "number":
            return _Term(offset=float(text))
        if kind != "name":
            raise _NotSimpleError(f"'{text}' is not understood here" if text else "it ends too early")
        if self.peek()[1] != "(":
            return self.selector(text, "")
        if text not in _OVER_TIME:
            raise _NotSimpleError(f"{text}() is not read")
        self.take()
        return self.closed(self.selector(self.take()[1], text))

    def closed(self, term: _Term) -> _Term:
        if not self.took(")"):
            raise _NotSimpleError(f"'{self.peek()[1]}' is not understood here")
        return term

    def selector(self, name: str, function: str) -> _Term:
        labels = _matchers(self.take()[1]) if self.peek()[0] == "labels" else ()
        window = seconds(self.take()[1][1:-1]) if self.peek()[0] == "range" else 0.0
        if bool(window) != bool(function):
            raise _NotSimpleError(f"a range like [5m] and one of {', '.join(_OVER_TIME)} belong together")
        found = resolve(self.names.get(name, name))
        if found and not resolve(self.names.get(name, name), labels):
            raise _NotSimpleError(f"{name} means different things by label, and these are not the ones that are read")
        _check_kind(name, found[0] if found else None, function)
        ours, factor = measured_as(name, self.names)
        factor *= window if function == "increase" else 1.0
        return _Term(factor, 0.0, ours, "", labels, window, _layer(found[0] if found else None))


def _check_kind(name: str, series: Series | None, function: str) -> None:
    if name.endswith("_bucket") if series is None else series.kind == "histogram":
        raise _NotSimpleError(f"{name} is part of a histogram")
    counter = name.endswith("_total") if series is None else series.kind == "counter"
    if counter and function not in ("rate", "increase"):
        raise _NotSimpleError(f"{name} is a counter: only its rate() or increase() is read")
    if not counter and function in ("rate", "increase"):
        raise _NotSimpleError(f"{name} is not known to be a counter, so {function}() of it is not read")


def _layer(series: Series | None) -> Layer:
    of_the_engine = series in ENGINE_SERIES and series.role in ("mechanism", "symptom", "latency")
    return "serving" if of_the_engine else "infrastructure"


def _matchers(text: str) -> Labels:
    found = list(_MATCHER.finditer(text[1:-1]))
    if "".join(m.group() for m in found) != text[1:-1].rstrip(" "):
        raise _NotSimpleError(f"{text} is not understood")
    for m in found:
        if m.group(2) != "=":
            raise _NotSimpleError(f"the matcher {m.group(2)} is not read, only =")
    return tuple((m.group(1), m.group(3) or m.group(4) or "") for m in found)


def _scaled(term: _Term, by: float) -> _Term:
    return replace(term, factor=term.factor * by, offset=term.offset * by)


def _added(a: _Term, b: _Term) -> _Term:
    if a.series and b.series:
        raise _NotSimpleError("a sum or difference of two series is not read")
    term = a if a.series else b
    return replace(term, offset=a.offset + b.offset)


def _multiplied(a: _Term, b: _Term) -> _Term:
    if a.series and b.series:
        raise _NotSimpleError("a product of two series is not read")
    return _scaled(a, b.offset) if a.series else _scaled(b, a.offset)


def _divided(a: _Term, b: _Term) -> _Term:
    if not b.series:
        if not b.offset:
            raise _NotSimpleError("it divides by zero")
        return _scaled(a, 1 / b.offset)
    if not a.series or a.per or b.per or a.offset or b.offset:
        raise _NotSimpleError("only a series over a series is read")
    if a.window_s != b.window_s or b.labels not in ((), a.labels):
        raise _NotSimpleError("the two series of a ratio have different labels or ranges")
    return replace(a, factor=a.factor / b.factor, per=b.series)
