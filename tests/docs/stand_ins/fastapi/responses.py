"""FastAPI keeps its response classes here."""

from . import JSONResponse

__all__ = ["JSONResponse"]
