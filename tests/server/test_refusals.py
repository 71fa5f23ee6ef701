"""What keeps a server from starting is named, and nothing else is blamed for it."""

from pathlib import Path

import pytest

from panecho_server import PlatformError, ServerSettings, StartError, TritonServer, wheel


def test_without_the_wheel_numpy_is_not_blamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "pytriton", raising=False)
    monkeypatch.setattr(wheel, "version", lambda _: "2.2.6")
    with pytest.raises(PlatformError, match="nvidia-pytriton is not installed"):
        TritonServer(ServerSettings())


@pytest.mark.parametrize(("log", "reason"), [("file/log", "Not a directory|File exists"), (".", "Is a directory")])
def test_a_log_that_cannot_be_written_is_named(repository: Path, tmp_path: Path, log: str, reason: str) -> None:
    (tmp_path / "file").touch()
    server = TritonServer(ServerSettings(model_repository=repository, log_file=tmp_path / log, grpc_port=0))
    with pytest.raises(StartError, match=rf"the log {tmp_path}.* cannot be written: ({reason}); name another with"):
        server.start()
    assert not server.is_running()
