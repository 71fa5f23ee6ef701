"""Replaces the models of a running server without losing a request."""
