"""The policies of a configuration as values: reactions to errors, acceptance, circuit breakers, retries."""
