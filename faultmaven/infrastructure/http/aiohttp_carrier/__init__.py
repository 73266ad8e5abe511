"""HTTP over aiohttp, the default carrier."""
