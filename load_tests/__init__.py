"""Load tests of a running PanEcho server with Locust; see docs/operate/load-tests.md."""
