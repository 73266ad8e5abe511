"""Vendors: their wires, their models, their providers."""
