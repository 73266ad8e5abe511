"""Health report, provider history and probes."""
