"""From a caller's arguments to one `ChatRequest`, or an `InvalidRequestError`."""
