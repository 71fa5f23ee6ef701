"""PanEcho as TorchScript: scripted, and written whole or not at all."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

DEBUG_RECORDS = ".debug_pkl"
WRITTEN_ANYWAY = ("byteorder", "version", ".data/version", ".data/serialization_id")


@contextmanager
def _torchscript_in_spite_of_deprecation() -> Iterator[None]:
    """Silence torch's deprecation of TorchScript: it is what Triton's PyTorch backend serves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", message=".*torch.jit.*deprecated.*", category=DeprecationWarning)
        yield


def script(model: nn.Module) -> torch.jit.ScriptModule:
    """Return ``model``, in evaluation mode, as a TorchScript module."""
    with _torchscript_in_spite_of_deprecation():
        scripted: torch.jit.ScriptModule = torch.jit.script(model)
    return scripted


def save(scripted: torch.jit.ScriptModule, path: Path) -> None:
    """Write the module to ``path``, without the debug records: they hold absolute paths of this machine.

    Triton's native backend would show those paths to callers, in the traceback of a failed request.
    """
    content = io.BytesIO()
    with _torchscript_in_spite_of_deprecation():
        torch.jit.save(scripted, content)
    content.seek(0)
    reader, writer = torch._C.PyTorchFileReader(content), torch._C.PyTorchFileWriter(str(path))  # noqa: SLF001 - torch has no public name for them
    for name in reader.get_all_records():
        if not name.endswith(DEBUG_RECORDS) and name not in WRITTEN_ANYWAY:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
