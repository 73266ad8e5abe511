"""Adapters of the ports: HTTP, vendors, environment, clock and logs."""
