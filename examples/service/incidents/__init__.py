"""An example service: it diagnoses, summarises and classifies incidents with any available LLM provider."""
