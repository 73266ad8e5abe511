"""Values: frozen, without I/O, without any third-party import."""
