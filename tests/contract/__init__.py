"""The contract for providers, over every row and over broken samples."""
