"""The settings of ``driftwatch watch``: one TOML file that says what to read, how to judge, and whom to tell."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationError

from driftwatch._section import Section
from driftwatch.config import Config
from driftwatch.errors import ConfigError


class Target(Section):
    """A page of metrics in the Prometheus text format: an engine, DCGM, a node, kube-state-metrics."""

    url: str = Field(pattern=r"^https?://", description="The page, such as http://10.0.0.7:8000/metrics.")
    every_s: float = Field(5.0, ge=0.5, le=3600, description="It is fetched this often, in seconds.")
    timeout_s: float = Field(4.0, gt=0, le=60, description="It must have answered in full by then, in seconds.")
    labels: dict[str, str] = Field({}, description="Added to its series, beside 'instance'.")
    token: str = Field("", repr=False, description="A bearer token: 'env:NAME', 'file:PATH', or the token itself.")


class Server(Section):
    """A Prometheus server that scrapes already: its raw samples are asked for."""

    url: str = Field(pattern=r"^https?://", description="Its address, without /api/v1.")
    select: str = Field('{__name__!=""}', description="Which series, as a PromQL selector, such as '{job=\"vllm\"}'.")
    alerts: bool = Field(True, description="Ask for its alerts (ALERTS) too, whatever is selected.")
    every_s: float = Field(15.0, ge=0.5, le=3600, description="It is asked this often, in seconds.")
    timeout_s: float = Field(10.0, gt=0, le=60, description="It must have answered in full by then, in seconds.")
    labels: dict[str, str] = Field({}, description="Added to its series.")
    token: str = Field("", repr=False, description="A bearer token: 'env:NAME', 'file:PATH', or the token itself.")


class Log(Section):
    """A request log that grows, one JSON object a line; it may be rotated."""

    path: str = Field(min_length=1, description="The file that is written to.")
    from_start: bool = Field(False, description="Read what is there already, and not only what comes.")
    every_s: float = Field(1.0, ge=0.1, le=60, description="It is looked at this often, in seconds.")


class Local(Section):
    """Something of this machine that is read: its ``/proc``, or its GPUs."""

    every_s: float = Field(5.0, ge=0.5, le=3600, description="It is read this often, in seconds.")
    labels: dict[str, str] = Field({}, description="Added to its series.")


class Serve(Section):
    """The page of driftwatch itself."""

    host: str = Field("127.0.0.1", description="The address that it listens on.")
    port: int = Field(9469, ge=0, le=65535, description="The port; 0 takes a free one.")


class Alert(Section):
    """A sink: its kind, and what `driftwatch.sinks` takes for it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    kind: str = Field(description="webhook, alertmanager, pagerduty, slack, apprise, cloudevents or jsonlines.")


class Engine(Section):
    """What is told where driftwatch lives inside an engine."""

    text: bool = Field(False, description="Make features of prompts and answers.")
    tenant_header: str = Field("", description="The request header that names the tenant.")
    labels: dict[str, str] = Field({}, description="Labels of every request.")


class Settings(Section):
    """All of ``watch.toml``.

    Examples
    --------
    >>> settings = Settings.parse({"targets": [{"url": "http://127.0.0.1:8000/metrics"}]})
    >>> settings.targets[0].every_s
    5.0
    """

    config: Config = Field(Config(), description="How to judge: the settings of docs/configuration.md, or their file.")
    targets: tuple[Target, ...] = Field((), max_length=256, description="Pages of metrics.")
    servers: tuple[Server, ...] = Field((), max_length=16, description="Prometheus servers.")
    logs: tuple[Log, ...] = Field((), max_length=64, description="Request logs.")
    markers: str = Field("", description="A file of markers (JSON lines) that deploys write to.")
    host: Local | None = Field(None, description="Read /proc of this machine.")
    gpu: Local | None = Field(None, description="Read the GPUs of this machine by NVML.")
    engine: Engine = Field(Engine(), description="Inside an engine, such as vLLM.")
    serve: Serve | None = Field(None, description="Serve /metrics of driftwatch itself.")
    alerts: tuple[Alert, ...] = Field((), max_length=32, description="Whom to tell.")
    baseline: str = Field("", description="What is healthy, learnt before by driftwatch fit; empty: it is learnt live.")
    state: str = Field("", description="The folder for checkpoints and for alerts that wait; wins over monitor.folder.")

    def judging(self, *, inside: bool = False) -> Config:
        """How to judge.

        Parameters
        ----------
        inside
            Whether somebody tells of requests. Otherwise, and where there is no request log, the engines' latency
            histograms stand for them.
        """
        changes = {"folder": self.state} if self.state else {}
        if not self.logs and not inside:
            changes["traffic"] = "histograms"
        return self.config.model_copy(update={"monitor": self.config.monitor.model_copy(update=changes)})

    @classmethod
    def parse(cls, given: Mapping[str, Any], *, source: str = "watch") -> Self:
        """Check settings that are already a mapping.

        Raises
        ------
        ConfigError
            Names each wrong key, its value and what is allowed.
        """
        settings = dict(given)
        if isinstance(settings.get("config"), str):
            settings["config"] = Config.load(Path(source).parent / settings["config"])
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            wrong = "; ".join(f"'{'.'.join(map(str, e['loc']))}': {e['msg']}" for e in error.errors())
            raise ConfigError(f"{source}: {wrong}") from None  # what was given may hold a token

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the file; a relative path of ``config`` starts at its folder.

        Raises
        ------
        ConfigError
            If it cannot be read, is not TOML, or holds a wrong key or value.
        """
        try:
            given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a TOML file ({error})") from error
        return cls.parse(given, source=str(path))
