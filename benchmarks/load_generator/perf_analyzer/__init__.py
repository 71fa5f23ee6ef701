"""The same requests for NVIDIA's perf_analyzer, an independent load generator."""
