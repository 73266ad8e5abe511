"""Tests of the dialects, which are pure functions of values."""
