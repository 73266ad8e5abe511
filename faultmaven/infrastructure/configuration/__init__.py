"""Settings and their sources: environment, `.env` files, watched files."""
