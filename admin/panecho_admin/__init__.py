"""For who runs a server: check it, show its models, roll out another export and roll it back."""
