"""Acceptance of answers: structured output, validation problems, repair."""
