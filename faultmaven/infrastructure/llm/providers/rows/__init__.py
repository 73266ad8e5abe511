"""Rows of `PROVIDER_SCHEMA`: their fields, checks and sources."""
