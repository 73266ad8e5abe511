"""Responses for identical requests: the response cache and single flight."""
