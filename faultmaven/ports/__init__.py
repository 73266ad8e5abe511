"""Ports: protocols of the parts that the core needs from outside."""
