"""The choice of algorithms: by cost, by measurement, by force; what is remembered; what is explained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import dynaconv
from dynaconv import ops
from dynaconv.dispatch import Algorithm, Cost, Problem, Registry, autotune
from dynaconv.dispatch.measured import _remembered
from dynaconv.errors import AlgorithmError, ArgumentError
from dynaconv.ops.mixture_conv import REGISTRY
from dynaconv.spec import ConvSpec

SPEC = ConvSpec.parse(8, 8, 3, dims=2, padding=1)
PROBLEM = Problem("mixture_conv", SPEC, batch=4, size=(6, 6), experts=4)


def nothing(*arguments: object) -> None:
    return None


def algorithm(name: str, macs: float, reasons: list[str] | None = None) -> Algorithm:
    return Algorithm(name, nothing, nothing, lambda _: Cost(macs), lambda _: Cost(1 / macs), lambda _: reasons or [])


CHEAP, DEAR, UNABLE = algorithm("cheap", 1), algorithm("dear", 1e12), algorithm("unable", 0.1, ["no", "never"])


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DYNACONV_CACHE", str(tmp_path))
    _remembered.clear()
    autotune(True)
    yield tmp_path
    autotune(False)
    _remembered.clear()


def test_the_cheapest_that_can_run_is_chosen_for_each_pass() -> None:
    registry = Registry(DEAR, CHEAP, UNABLE)
    assert registry.choose("auto", PROBLEM, backward=False, run=nothing) is CHEAP
    assert registry.choose("auto", PROBLEM, backward=True, run=nothing) is DEAR


def test_force() -> None:
    registry = Registry(DEAR, CHEAP, UNABLE)
    assert registry.choose("dear", PROBLEM, backward=False, run=nothing) is DEAR
    with pytest.raises(AlgorithmError, match="algorithm='unable' cannot run here: no; never"):
        registry.choose("unable", PROBLEM, backward=False, run=nothing)
    with pytest.raises(ArgumentError, match="algorithm='other': expected one of auto, dear, cheap, unable"):
        registry.choose("other", PROBLEM, backward=False, run=nothing)


def test_impossible_force_of_a_real_algorithm() -> None:
    x, bank, mixture = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3, 3), torch.rand(2, 4)
    with pytest.raises(AlgorithmError, match="K=4: several experts need mixing; tap scales change the kernel itself"):
        ops.mixture_conv(x, bank, mixture, tap_scale=torch.rand(2, 3, 3), algorithm="static")


def test_measured_choice_is_remembered(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    monkeypatch.setattr("dynaconv.dispatch.measured._seconds", lambda a, run: (runs.append(a.name), len(runs))[1])
    registry = Registry(DEAR, CHEAP, UNABLE)
    assert registry.choose("auto", PROBLEM, backward=False, run=nothing) is DEAR
    assert runs == ["dear", "cheap"]
    # Again, and as another process would: from memory, then from disk.
    assert registry.choose("auto", PROBLEM, backward=False, run=nothing) is DEAR
    _remembered.clear()
    assert registry.choose("auto", PROBLEM, backward=False, run=nothing) is DEAR
    assert runs == ["dear", "cheap"]
    (file,) = tuned.rglob("*.json")
    content = json.loads(file.read_text())
    assert content["fastest"] == "dear"
    assert content["pass"] == "forward"
    assert set(content["seconds"]) == {"dear", "cheap"}
    registry.choose("auto", PROBLEM, backward=True, run=nothing)
    assert len([*tuned.rglob("*.json")]) == 2


@pytest.mark.parametrize("content", ["{", "[]", '{"fastest": 3}', '{"fastest": "gone"}', "\x00"])
def test_a_damaged_memory_is_measured_again(tuned: Path, content: str, recwarn: pytest.WarningsRecorder) -> None:
    registry = Registry(DEAR, CHEAP)
    registry.choose("auto", PROBLEM, backward=False, run=nothing)
    (file,) = tuned.rglob("*.json")
    file.write_text(content)
    _remembered.clear()
    assert registry.choose("auto", PROBLEM, backward=False, run=nothing) in (DEAR, CHEAP)
    assert json.loads(file.read_text())["fastest"] in ("dear", "cheap")
    warned = [str(w.message) for w in recwarn if "measured again" in str(w.message)]
    assert len(warned) == (0 if "fastest" in content else 1)


def test_memory_that_cannot_be_written_is_no_error(tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tuned / "file").write_text("")
    monkeypatch.setenv("DYNACONV_CACHE", str(tuned / "file" / "below"))
    with pytest.warns(UserWarning, match="cannot be remembered"):
        Registry(DEAR, CHEAP).choose("auto", PROBLEM, backward=False, run=nothing)


def test_autotuned_operator_is_right_in_several_processes(tuned: Path) -> None:
    code = (
        "import torch, dynaconv; from dynaconv import ops; torch.manual_seed(0);"
        "x = torch.randn(4, 8, 6, 6, requires_grad=True); bank = torch.randn(4, 8, 8, 3, 3); m = torch.rand(4, 4);"
        "y = ops.mixture_conv(x, bank, m, padding=1); y.sum().backward();"
        "r = ops.mixture_conv(x, bank, m, padding=1, algorithm='reference');"
        "torch.testing.assert_close(y, r, rtol=1e-4, atol=1e-4)"
    )
    environment = {**os.environ, "DYNACONV_AUTOTUNE": "1", "DYNACONV_CACHE": str(tuned), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], env=environment, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert len([*tuned.rglob("*.json")]) == 2
    assert not [file for file in tuned.rglob("*") if file.is_file() and file.suffix != ".json"]


def test_explain_names_choice_reasons_work_and_memory() -> None:
    layer = dynaconv.create_conv("kernel_weighted", 16, 16, 3, padding=1)
    text = dynaconv.explain(layer, torch.randn(8, 16, 12, 12))
    assert "dense_conv: x 8×16×12×12, 16→16, kernel 3×3" in text
    assert "2.7 M multiply-adds; chosen by cost model" in text
    assert text.count("→ ") == 2
    kernel = dynaconv.kernels.MixtureKernel(torch.randn(1, 8, 8, 3, 3), torch.ones(4, 1))
    text = ops.explain_conv(torch.randn(4, 8, 6, 6), kernel, SPEC)
    assert "chosen by structure" in text
    assert "→ static" in text
    taps = dynaconv.kernels.MixtureKernel(torch.randn(4, 8, 8, 3, 3), torch.ones(4, 4), torch.ones(4, 3, 3))
    text = ops.explain_conv(torch.randn(4, 8, 6, 6), taps, SPEC)
    assert "static        cannot: K=4: several experts need mixing; tap scales change the kernel itself" in text
    assert "MiB beside input and output" in text


def test_every_algorithm_states_its_cost() -> None:
    for candidate in REGISTRY.algorithms.values():
        for backward in (False, True):
            cost = candidate.cost(PROBLEM, backward)
            assert cost.seconds > 0
            assert cost.memory >= 0
