"""The backend ``pytorch``: one file that Triton loads by its path."""
