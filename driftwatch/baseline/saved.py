"""A learnt baseline in a file: JSON and arrays, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from driftwatch.errors import StateError
from driftwatch.statistics.buckets import Floats

SCHEMA = 4


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is healthy, by stream: what `driftwatch.fit` learns and `driftwatch.scan` takes.

    Parameters
    ----------
    streams
        Arrays by stream title.
    config_digest
        Of the configuration that it was learnt with.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "healthy.npz"
    >>> Baseline({"model=a": {"baseline.centre": np.zeros(4)}}).save(path)
    >>> list(Baseline.load(path).streams)
    ['model=a']
    """

    streams: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    config_digest: str = ""

    def save(self, path: str | Path) -> None:
        """Write it to a file (``.npz``), whole or not at all."""
        titles = sorted(self.streams)
        header = {"schema": SCHEMA, "config": self.config_digest, "streams": titles}
        arrays = {f"{k}/{name}": value for k, title in enumerate(titles) for name, value in self.streams[title].items()}
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        with partial.open("wb") as file:
            told = np.frombuffer(json.dumps(header).encode(), np.uint8)
            np.savez_compressed(file, header=told, **arrays)  # type: ignore[arg-type]  # numpy types **arrays as its flags
        partial.replace(target)

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read what `save` wrote.

        Raises
        ------
        StateError
            If the file cannot be read, is not a baseline, or a newer version wrote it.
        """
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                header = json.loads(bytes(file["header"]))
                if header["schema"] != SCHEMA:
                    raise StateError(
                        f"{path}: schema {header['schema']} is not known here (this version reads {SCHEMA})"
                    )
                streams: dict[str, dict[str, Floats]] = {title: {} for title in header["streams"]}
                for key in file.files:
                    position, _, name = key.partition("/")
                    if name:
                        streams[header["streams"][int(position)]][name] = file[key]
        except OSError as error:
            raise StateError(f"{path}: cannot be read ({error.strerror or error})") from error
        except StateError:
            raise
        except Exception as error:  # damaged bytes make numpy, zipfile and zlib raise a dozen kinds
            raise StateError(f"{path}: not a baseline of driftwatch ({error})") from error
        return cls(streams, header["config"])
