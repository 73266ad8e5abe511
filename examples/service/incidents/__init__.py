"""An example service: it diagnoses, summarises and classifies incidents with whichever LLM provider can answer."""
