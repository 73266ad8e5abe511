"""Benchmarks of the cost of a call, compared with other clients: `python -m benchmarks`. See README.md."""
