"""Dialects: the HTTP APIs of LLM vendors, as pure functions from requests to bytes and from bytes to answers.

"Wire reference" in a source, such as "wire reference, openai-chat.md 9.2", is the project's collection of notes on the
vendors' HTTP formats, with a file for each dialect. The notes are kept outside of the repository; the date says when
they were checked against the vendor's documentation.
"""
