"""OpenAI's Chat Completions API and the vendors that follow it."""
