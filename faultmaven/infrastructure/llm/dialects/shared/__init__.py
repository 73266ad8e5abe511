"""Functions and classes that several dialects share: requests, errors, framing, streams, schemas."""
