"""Why, for whom, and what stayed green: drivers, dose-response, segments, health checks."""
