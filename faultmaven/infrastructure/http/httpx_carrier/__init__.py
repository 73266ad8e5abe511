"""HTTP over httpx or httpx2, and over a client that the host passed in."""
