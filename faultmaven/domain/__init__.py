"""Values and errors. No module here does I/O or imports a third-party package at import time."""
