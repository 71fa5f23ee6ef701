"""Decodes compressed frames: one codec a file."""
