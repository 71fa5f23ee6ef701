"""One client per process: what a fork, spawned processes, threads, a running loop and gevent get. Never a hang."""

import asyncio
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from panecho_client import ClipOptions, PanEcho
from panecho_server import TritonServer

QUICK = ClipOptions(num_clips=1, clip_length=1)

FORKED = """
import multiprocessing, os, sys
from panecho_client import ClipOptions, Connection, PanEcho, PanEchoError, Retry
URL, FILE, OWN = sys.argv[1:]
SETTINGS = Connection(url=URL, timeout=30, connect_timeout=5, retry=Retry(seconds=5))

def ef(client):
    return client.predict_study(FILE, tasks="EF", clip_options=ClipOptions(num_clips=1, clip_length=1))["EF"].value

def work(client, answers):
    try:
        with client or PanEcho(SETTINGS) as panecho:
            answers.put(ef(panecho))
    except PanEchoError as error:
        answers.put(str(error))

parent = PanEcho(SETTINGS)
first = ef(parent)
forking = multiprocessing.get_context("fork")
answers = forking.SimpleQueue()
child = forking.Process(target=work, args=(None if OWN == "own" else parent, answers))
child.start()
child.join(40)
print("hangs" if child.is_alive() else answers.get() if not answers.empty() else f"died with {child.exitcode}")
child.kill()
print(first == ef(parent), flush=True)
os._exit(0)
"""

GEVENT = """
import sys
from gevent import monkey
getattr(monkey, sys.argv[2])()
from panecho_client import ClipOptions, PanEcho, RequestError
try:
    with PanEcho(sys.argv[1]) as panecho:
        print(len(panecho.tasks))
except RequestError as error:
    print(error)
"""


def output(code: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize(
    ("scheme", "own", "text"),
    [
        ("", "inherited", "this client was made before the process was forked"),
        ("http://", "inherited", "this client was made before the process was forked"),
        ("", "own", "forked from one that had used gRPC"),
        ("http://", "own", None),
    ],
)
def test_a_fork_gets_an_answer_or_an_error_at_once(
    server: TritonServer, cine: Path, scheme: str, own: str, text: str | None
) -> None:
    url = f"http://{server.http_url}" if scheme else server.grpc_url
    in_child, parent_works = output(FORKED, url, cine, own).splitlines()
    assert parent_works == "True"
    if text is None:
        assert float(in_child)
    else:
        assert text in in_child


def _ef(arguments: tuple[str, Path]) -> float:
    with PanEcho(arguments[0]) as panecho:
        return panecho.predict_study(arguments[1], tasks="EF", clip_options=QUICK)["EF"].value


def test_spawned_processes_and_threads(server: TritonServer, cine: Path) -> None:
    with PanEcho(server.grpc_url) as panecho:
        expected = panecho.predict_study(cine, tasks="EF", clip_options=QUICK)["EF"].value
        with ThreadPoolExecutor(3) as threads:
            jobs = [threads.submit(panecho.predict_study, cine, tasks="EF", clip_options=QUICK) for _ in range(3)]
            assert [job.result()["EF"].value for job in jobs] == [pytest.approx(expected)] * 3
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.map(_ef, [(server.grpc_url, cine)]) == [pytest.approx(expected)]


def test_within_a_running_loop_as_in_a_notebook(server: TritonServer) -> None:
    async def cell() -> int:
        with PanEcho(server.grpc_url) as panecho:
            return len(panecho.tasks)

    assert asyncio.run(cell()) == 40


def test_gevent_s_threads_are_refused(server: TritonServer) -> None:
    for patch in ("patch_all", "patch_thread", "patch_select"):
        assert output(GEVENT, server.grpc_url, patch).startswith("gevent has replaced this process's threads")
    assert output(GEVENT, server.grpc_url, "patch_time") == "40\n"
