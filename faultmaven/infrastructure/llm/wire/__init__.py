"""Vendor dialects: pure functions between our values and a vendor's bytes."""
