"""Test of the tutorial in a fresh environment, with the built wheel and the commands as printed."""
