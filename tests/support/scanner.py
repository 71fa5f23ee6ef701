"""A scanner: dcmtk's storescu, which sends a study over DIMSE (C-STORE)."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import Dataset


def send(port: int, datasets: list[Dataset], folder: Path) -> None:
    """Send instances to a storage provider of this machine.

    Args:
        port: Its port.
        datasets: The instances, in JPEG baseline.
        folder: Where to write them first.
    """
    storescu = shutil.which("storescu")
    if storescu is None:
        pytest.skip("needs storescu: apt-get install dcmtk")
    folder.mkdir(exist_ok=True)
    for number, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    files = [folder / f"{number}.dcm" for number in range(len(datasets))]
    subprocess.run([storescu, "--propose-jpeg8", "127.0.0.1", str(port), *files], check=True, timeout=30)
