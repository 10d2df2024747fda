"""The parts of ``detection.py``: streams, changes, our detectors, an oracle, peers, and what is measured of them."""
