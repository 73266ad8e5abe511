"""Tests of the provider contract, with every built-in row and with broken providers."""
