"""Where driftwatch is a guest: one file for each host, which is imported by name and brings its own extra."""
