"""The world: HTTP, vendors, the environment, the clock, logs."""
