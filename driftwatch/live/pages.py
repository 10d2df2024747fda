"""A page of metrics that is fetched again and again, as a Prometheus server would."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from driftwatch.config import Config
from driftwatch.events.columns import Batch
from driftwatch.live.fetch import Fetcher
from driftwatch.live.settings import Target
from driftwatch.live.source import Samples
from driftwatch.readers.lines import Block
from driftwatch.readers.openmetrics import TextParser
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.series import SeriesTable

_ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


class Page:
    """One target: gives its series, and ``up``.

    Parameters
    ----------
    target
        Where it is, how often, with which labels.
    config
        Which series are wanted.
    quarantine
        Where broken lines go.
    """

    def __init__(self, target: Target, config: Config, quarantine: Quarantine) -> None:
        self.url, self.every_s, self.name = target.url, target.every_s, target.url
        self.labels = {"instance": urlsplit(target.url).netloc, **target.labels}
        self._fetcher = Fetcher(target.timeout_s, target.token)
        table = LabelledTable(config, quarantine, self.name, self.labels)
        self._parser = TextParser(table, quarantine, self.name)

    def read(self, at: float) -> Iterable[Batch]:
        """Fetch and parse it; samples without a time of their own are of ``at``."""
        body = self._fetcher.get(self.url, _ACCEPT)
        self._parser.at = at
        return [self._parser.parse(Block(body, 1)), self._up(at, 1.0)]

    def failed(self, at: float) -> Iterable[Batch]:
        """Say that it is down."""
        return [self._up(at, 0.0)]

    def close(self) -> None:
        """Let the connection go."""
        self._fetcher.close()

    def _up(self, at: float, value: float) -> Batch:
        samples = Samples(at, self.labels)
        samples.add("up", value)
        return samples.batch()


class LabelledTable(SeriesTable):
    """Series of a target, with the target's labels; one that the page has too is kept as ``exported_...``.

    Examples
    --------
    >>> table = LabelledTable(Config(), Quarantine(), "page", {"instance": "a:80"})
    >>> table.code("up", (("instance", "b"),)), table.keys[0].labels
    (0, (('exported_instance', 'b'), ('instance', 'a:80')))
    """

    def __init__(self, config: Config, quarantine: Quarantine, source: str, labels: dict[str, str]) -> None:
        super().__init__(config, quarantine, source)
        self.labels = labels

    def code(self, name: str, labels: tuple[tuple[str, str], ...]) -> int:
        """The number of a series, or -1 if nobody asks for it."""
        own = ((f"exported_{key}" if key in self.labels else key, value) for key, value in labels)
        return super().code(name, (*own, *self.labels.items()))
