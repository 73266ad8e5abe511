"""Decisions over values and ports: validation, planning, execution, resilience, acceptance and reuse."""
