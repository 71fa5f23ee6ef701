"""Load tests of an embedded server."""
