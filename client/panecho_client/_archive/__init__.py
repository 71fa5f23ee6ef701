"""Predicts many studies in one run."""
