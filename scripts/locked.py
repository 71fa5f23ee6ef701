"""Prints requirements of pip, with hashes, for packages of uv.lock: ``python scripts/locked.py uv``.

With them pip installs uv where there is none yet; uv then installs the rest.
"""

import sys
import tomllib
from pathlib import Path

LOCK = Path(__file__).parents[1] / "uv.lock"


def main() -> None:
    """Print each package that the command line names."""
    with LOCK.open("rb") as file:
        packages = {package["name"]: package for package in tomllib.load(file)["package"]}
    for name in sys.argv[1:]:
        package = packages[name]
        hashes = " ".join(f"--hash={wheel['hash']}" for wheel in package["wheels"])
        sys.stdout.write(f"{name}=={package['version']} {hashes}\n")


if __name__ == "__main__":
    main()
