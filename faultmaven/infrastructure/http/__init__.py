"""HTTP requests and replies as values, and the transport that sends them."""
