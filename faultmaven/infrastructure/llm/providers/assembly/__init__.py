"""From settings and rows to a configuration snapshot, and the registry that holds it."""
