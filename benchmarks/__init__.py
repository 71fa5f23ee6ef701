"""Side-by-side measurements; each module is a program: ``python -m benchmarks.NAME --help``."""
