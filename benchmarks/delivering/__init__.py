"""Receivers to deliver to, good and bad, and how delivery is measured."""
