"""Sequential tests and robust estimates: plain numpy, knows nothing of language models."""
