"""Streams of providers: opening, commit point, and a whole answer as a stream."""
