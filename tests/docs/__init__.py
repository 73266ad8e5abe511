"""Tests that run the README and docs/ and compare them with the code."""
