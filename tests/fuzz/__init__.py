"""Broken files for the preprocessing."""
