"""The wire dialects, as pure functions of values."""
