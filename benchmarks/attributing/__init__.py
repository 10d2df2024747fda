"""The parts of ``attribution.py``: what is tried, what was found, what others say, and the page."""
