"""Finds the crop and mask of a cine's frames, and applies them."""
