"""Measures the load generators themselves, not the server."""
