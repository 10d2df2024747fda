"""What a dashboard showed: checks, the alerts that a team has already, and which of them fired."""
