"""The script for a GPU runs to its end on a CPU, so that the first run on a GPU does not stop at a typing error."""

import json
from pathlib import Path

from benchmarks import gpu
from support.slow_precision import one_thread


def test_every_step_runs_on_a_cpu(tmp_path: Path) -> None:
    with one_thread():
        assert gpu.main(["--device", "cpu", "--small", "--output", str(tmp_path)]) == 0
    (report,) = tmp_path.glob("gpu-*.json")
    findings = json.loads(report.read_text())
    assert [row["precision"] for row in findings["numbers"]] == ["bf16"]
    assert {row["variant"] for row in findings["speeds"]} == {"eager fp32", "ours, bf16"}
    assert {row["clips"] for row in findings["speeds"]} == {1, 2}
    assert findings["operators"][0]["share"] > 0
    assert findings["left_out"] == []
    assert "| ours, bf16 | 2 |" in report.with_suffix(".md").read_text()


def test_what_there_is_no_time_for_is_named() -> None:
    findings = gpu.Findings({})
    assert not gpu.Budget(0).allows("operators", findings)
    assert findings.left_out == ["operators: the time was up"]
