"""Dialects: the HTTP APIs of LLM vendors, as pure functions from requests to bytes and from bytes to answers."""
