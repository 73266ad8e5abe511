"""Failover, over scripted providers in virtual time."""
