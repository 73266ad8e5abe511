"""The plan of a request: candidates in order, each with a model and a share of the deadline."""
