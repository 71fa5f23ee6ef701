"""Decides what of a frame the model sees."""
