"""A load test as a sequence of stages, and what was measured in each."""
