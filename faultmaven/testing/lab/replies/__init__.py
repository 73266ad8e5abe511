"""Literal replies of every vendor, whole and streamed."""
