"""What is sent, how it is sent, and how it ended."""
