"""Side-by-side measurements; each module is a program: ``python -m benchmarks.NAME --help``.

All that is compared has OpenMP threads that sleep while they wait, as ``panecho serve`` and ``predict --local`` have.
"""

import os

# Before anything imports PyTorch, which reads it once.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
