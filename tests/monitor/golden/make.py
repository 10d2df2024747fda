"""Makes the checkpoint of the newest schema anew."""

import tempfile
from pathlib import Path

import numpy as np

import driftwatch as dw
from driftwatch.monitor import checkpoint
from tests.monitor.calls import tell
from tests.traffic import traffic


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, dw.Monitor(clock="events") as monitor:
        monitor.feed(traffic(5, 70, rate=3.0), "log", 7)
        tell(monitor, traffic(5, 70, rate=3.0).take(slice(0, 0)))
        monitor.save(Path(folder) / "state.npz")
        with np.load(Path(folder) / "state.npz") as file:
            np.savez_compressed(Path(__file__).parent / f"schema-{checkpoint.SCHEMA}.npz", **file)


if __name__ == "__main__":
    main()
