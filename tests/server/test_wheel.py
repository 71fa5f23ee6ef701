"""What the machine must have, and what is said when it has not."""

import platform
from pathlib import Path

import pytest

from panecho_server import PlatformError, wheel


def test_everything_is_found_here() -> None:
    wheel.check_platform()
    found = wheel.find_wheel()
    assert found.tritonserver.is_file()
    assert found.stub.is_file()
    assert found.libraries.is_dir()
    assert wheel.find_libpython().is_file()
    assert wheel.find_libpython().name.startswith("libpython3.")


def test_numpy_2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with numpy 2.2 on Python 3.13: every array that a model is given repeats its first number."""
    wheel.check_numpy()
    monkeypatch.setattr(wheel, "version", lambda _: "2.2.6")
    with pytest.raises(PlatformError, match=r"numpy 2\.2\.6 is installed; .* --no-deps numpy==1\.26\.4"):
        wheel.check_numpy()


def test_missing_libpython_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "PYTHON_VERSION", "3.99")
    with pytest.raises(PlatformError, match=r"libpython3\.99\.so\.1\.0 is missing.*apt-get install libpython3\.99"):
        wheel.find_libpython()


def test_python_without_a_stub_says_which_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "PYTHON_VERSION", "3.99")
    with pytest.raises(PlatformError, match=r"no Python backend for Python 3\.99; use one of .*3\.11"):
        wheel.find_wheel()


def test_other_platform_is_sent_to_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(PlatformError, match=r"this is linux aarch64\. Use NVIDIA's container"):
        wheel.check_platform()


def test_missing_wheel_says_which_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "pytriton", raising=False)
    with pytest.raises(PlatformError, match=r"pip install ./client '\.\[server\]'"):
        wheel.find_wheel()
