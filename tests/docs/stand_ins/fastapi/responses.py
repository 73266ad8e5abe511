"""Response classes under the import path of FastAPI."""

from . import JSONResponse

__all__ = ["JSONResponse"]
