"""LLM vendors: their dialects, models and providers."""
