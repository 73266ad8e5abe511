"""Building of configuration snapshots from settings and rows, and the registry that holds the current one."""
