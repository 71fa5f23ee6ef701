"""Asks this machine for its cores and its memory."""
