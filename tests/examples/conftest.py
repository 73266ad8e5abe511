"""What needs FastAPI and uvicorn is collected where `tox -e examples` installed them."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("uvicorn") and find_spec("fastapi") else ["test_served.py"]
