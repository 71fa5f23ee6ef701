"""PanEcho in PyTorch: task table, architecture, checkpoint format, weights."""
