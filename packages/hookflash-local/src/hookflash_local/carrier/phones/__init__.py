"""Phones in a browser: their state, their page's socket and its server."""
