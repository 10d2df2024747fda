"""Parts of the benchmark of what is heard in texts."""
