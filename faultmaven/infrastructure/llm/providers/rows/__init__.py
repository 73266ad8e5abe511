"""Rows of `PROVIDER_SCHEMA`: fields, validation and sources."""
