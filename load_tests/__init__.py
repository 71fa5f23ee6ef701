"""Load tests of a running PanEcho server with Locust; see docs/load-tests.md."""
