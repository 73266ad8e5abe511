"""Adapters that need an extra."""
