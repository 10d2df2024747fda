"""The parts of ``scoreboard.py``: what is run, the facts of a case, rivals, the rules of the score, table and page."""
