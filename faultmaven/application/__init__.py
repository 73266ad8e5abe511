"""Decisions, over ports: what is asked of whom, for how long, and whether the answer will do."""
