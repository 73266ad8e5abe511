"""Parts that several dialects share: requests, errors, framing, streams, schemas."""
