"""Why it happened: candidates, what speaks for and against each, and the verdict."""
