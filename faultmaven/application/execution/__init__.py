"""One call in flight: its candidates, attempts, retries, hedging and log."""
