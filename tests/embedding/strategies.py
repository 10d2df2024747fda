"""Texts of all kinds, hostile ones among them."""

from hypothesis import strategies as st

ANY = st.text(st.characters(exclude_categories=()), max_size=80)  # lone surrogates and NULs included
WORDY = st.lists(
    st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "Ça", "我", "да", "ไทย", "7", "\ufffd"]), max_size=60
)
TEXTS = st.one_of(
    st.none(), ANY, WORDY.map(" ".join), st.sampled_from(["", " ", "\x00" * 9, "```", "\ud800", "e\u0301" * 20])
)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=12)
