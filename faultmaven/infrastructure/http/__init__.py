"""HTTP: requests and replies as values, and the one place that sends them."""
