"""What a call costs, side by side with other clients: `python -m benchmarks`; see README.md here."""
