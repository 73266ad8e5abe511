"""Tests that need FastAPI and uvicorn are collected only where `tox -e examples` has installed both."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("uvicorn") and find_spec("fastapi") else ["test_served.py"]
