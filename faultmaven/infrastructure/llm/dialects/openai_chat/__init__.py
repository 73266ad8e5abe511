"""OpenAI's Chat Completions API, and its variants at other vendors."""
