"""The contract for providers: rules that pytest runs over a class, a row or an object."""

from .suite import LLMProviderContract

__all__ = ["LLMProviderContract"]
