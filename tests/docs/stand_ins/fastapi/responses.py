"""FastAPI keeps its response classes here."""

from fastapi import JSONResponse

__all__ = ["JSONResponse"]
