"""Nothing here unpickles, evaluates or otherwise runs what a file holds: every Python file is searched."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPICKLING = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
FORBIDDEN = {
    *("eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput"),
    *("pandas.read_pickle", "torch.hub.load", "torch.package.PackageImporter", "torch.serialization.add_safe_globals"),
    *("yaml.full_load", "yaml.full_load_all", "yaml.unsafe_load", "yaml.unsafe_load_all"),
}
YAML = {"yaml.load", "yaml.load_all"}
ALLOWED = {
    # TorchScript is code: these load what this repository or the operator exported.
    ("benchmarks/", "torch.jit.load"),
    ("server/panecho_server/backends/pytorch/model.py", "torch.jit.load"),
    ("tests/", "torch.jit.load"),
    # A test hands its own objects to a process of its own.
    ("tests/client/archive/test_output_folder_faults.py", "pickle"),
    # Hostile files are made there, and shown to be hostile.
    ("tests/supply/test_hostile_files.py", "pickle"),
    ("tests/supply/test_hostile_files.py", "torch.load"),
}


def unsafe(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each import or call that could run what a file holds."""
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((node.lineno, module) for module in modules if module.split(".")[0] in UNPICKLING)
        elif isinstance(node, ast.Call):
            name = dotted(node.func, names)
            if is_unsafe(name, {keyword.arg: keyword.value for keyword in node.keywords}, names):
                yield node.lineno, name


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, such as np for numpy."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Full name of what is called, such as numpy.load; empty where it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        left = dotted(node.value, names)
        return f"{left}.{node.attr}" if left else ""
    return ""


def is_unsafe(name: str, keywords: dict[str | None, ast.expr], names: dict[str, str]) -> bool:
    def constant(keyword: str) -> object:
        value = keywords.get(keyword)
        return value.value if isinstance(value, ast.Constant) else value

    if name in YAML:
        loader = keywords.get("Loader")
        return loader is None or dotted(loader, names) not in {"yaml.SafeLoader", "yaml.CSafeLoader"}
    if name == "torch.load":
        return constant("weights_only") is not True
    if name == "numpy.load":
        return constant("allow_pickle") not in {None, False}
    if name.startswith("subprocess."):
        return constant("shell") not in {None, False}
    return name in FORBIDDEN or name == "torch.jit.load"


def python_files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


def allowed(file: str, name: str) -> bool:
    return any(file.startswith(place) and name == what for place, what in ALLOWED)


def test_no_source_runs_what_a_file_holds() -> None:
    files = python_files()
    found = [(file, line, name) for file in files for line, name in unsafe((ROOT / file).read_text())]

    assert {"model/panecho_model/checkpoint.py", "client/panecho_client/cli.py"} <= set(files)
    assert [f"{file}:{line} {name}" for file, line, name in found if not allowed(file, name)] == []
    used = {entry for entry in ALLOWED for file, _, name in found if file.startswith(entry[0]) and name == entry[1]}
    assert used == ALLOWED, "an exception that nothing needs any more"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("import pickle as p", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import joblib.numpy_pickle", "joblib.numpy_pickle"),
        ("import torch\ntorch.load('a.pt')", "torch.load"),
        ("import torch\ntorch.load('a.pt', weights_only=False)", "torch.load"),
        ("import torch\ntorch.load('a.pt', weights_only=safe)", "torch.load"),
        ("from torch import load\nload('a.pt')", "torch.load"),
        ("import torch\ntorch.jit.load('a.pt').eval()", "torch.jit.load"),
        ("import numpy as np\nnp.load('a.npy', allow_pickle=True)", "numpy.load"),
        ("import numpy as np\nnp.load('a.npy', allow_pickle=yes)", "numpy.load"),
        ("import yaml\nyaml.load(text)", "yaml.load"),
        ("import yaml\nyaml.load(text, Loader=yaml.Loader)", "yaml.load"),
        ("from yaml import load_all, Loader\nload_all(text, Loader=Loader)", "yaml.load_all"),
        ("import yaml\nyaml.unsafe_load(text)", "yaml.unsafe_load"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("import os\nos.system(text)", "os.system"),
        ("import subprocess\nsubprocess.run(text, shell=True)", "subprocess.run"),
        ("from subprocess import check_output\ncheck_output(text, shell=shell)", "subprocess.check_output"),
    ],
)
def test_the_search_finds(source: str, name: str) -> None:
    assert [found for _, found in unsafe(source)] == [name]


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load('a.pt', map_location='cpu', weights_only=True)",
        "import numpy as np\nnp.load('a.npy')\nnp.load('b.npy', allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)\nyaml.load_all(text, Loader=yaml.CSafeLoader)",
        "from yaml import CSafeLoader, load\nload(text, Loader=CSafeLoader)",
        "model.eval()\nregex.compile(text)\nimport re\nre.compile(text)",
        "import subprocess\nsubprocess.run(['ls'])",
    ],
)
def test_the_search_passes(source: str) -> None:
    assert list(unsafe(source)) == []
