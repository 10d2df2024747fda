"""A real server under load: how it is started, and who asks it."""
