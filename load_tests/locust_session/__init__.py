"""Runs a load test inside Locust."""
