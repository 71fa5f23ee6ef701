"""Results of a load test as JSON, text and HTML."""
