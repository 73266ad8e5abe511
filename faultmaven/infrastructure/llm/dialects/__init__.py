"""Vendors' HTTP formats: pure functions from requests to bytes and from bytes to answers."""
