"""Blocks and heads: the authors' formulation equals ours, faults are found, figures are complete and shown."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dynaconv import bench
from dynaconv.attention import SqueezeExcite, list_attentions
from dynaconv.bench import published_forms, runner
from dynaconv.bench.blocks import BlockCase, block_cases, block_network_cases, build_block, map_of
from dynaconv.bench.equality import NotEqualError
from dynaconv.bench.measure import Effort
from dynaconv.bench.measure_block import BlockResult, check_block, kept_bytes, measure_block
from dynaconv.bench.networks import build
from dynaconv.bench.published_forms import PublishedForm
from dynaconv.bench.published_root import published_root
from dynaconv.cli.main import main
from dynaconv.errors import ArgumentError
from dynaconv.ops import covariance_pool, matrix_sqrt
from dynaconv.pooling import list_poolings

SMALL = BlockCase("cbam", 16, 5, 2)
ONCE = Effort(least=1, most=1, seconds=0)


@pytest.mark.parametrize(
    "block", ["cbam", "bam", "gsop_channel", "gsop_position", "isqrt_cov", "matrix_sqrt", "exact matrix_sqrt"]
)
def test_ours_and_the_published_formulation_compute_the_same(block: str) -> None:
    # More positions than channels: eigenvectors of one eigenvalue have no derivative.
    case = BlockCase(block, 24, 9, 3)
    ours = build_block(case)
    check_block({"published": PublishedForm(ours), "ours": ours}, map_of(case))


def test_all_cases_have_a_formulation_and_a_name_of_their_own() -> None:
    cases = block_cases()
    assert {case.block for case in block_cases(quick=True)} == {case.block for case in cases}
    assert len({case.name for case in cases}) == len(cases)
    for case in block_cases(quick=True):
        PublishedForm(build_block(case))
    with pytest.raises(ArgumentError, match="block='SqueezeExcite': expected one of CBAM, BAM, GSoPChannel"):
        PublishedForm(SqueezeExcite(8))


class Shifted(nn.Module):
    """A block with a wrong value, or with a wrong gradient alone."""

    def __init__(self, block: nn.Module, by: float, *, detached: bool) -> None:
        super().__init__()
        self.block = block
        self.by = by
        self.detached = detached

    def forward(self, x: Tensor) -> Tensor:
        wrong = self.by * x
        return self.block(x) + (wrong - wrong.detach() if self.detached else wrong)


@pytest.mark.parametrize(("detached", "what"), [(False, "the output"), (True, "the gradient of x")])
def test_a_planted_fault_is_found(detached: bool, what: str) -> None:
    ours = build_block(SMALL)
    forms = {"published": PublishedForm(ours), "ours": Shifted(ours, 1e-2, detached=detached)}
    with pytest.raises(NotEqualError, match=f"ours differs from the reference in {what}"):
        check_block(forms, map_of(SMALL))


def test_nothing_is_reported_of_a_block_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = published_forms._FORMULATIONS
    wrong = {cls: lambda block, x, f=f: 1.01 * f(block, x) for cls, f in right.items()}
    monkeypatch.setattr(published_forms, "_FORMULATIONS", wrong)
    results = run(tmp_path)
    assert results.blocks == ()
    assert "ours differs from the reference in the output by" in results.failures[SMALL.name]


def test_published_root_has_the_gradient_of_the_iteration() -> None:
    a = covariance_pool(torch.randn(2, 6, 20, dtype=torch.float64)).requires_grad_()
    upstream = torch.randn_like(a)
    upstream = upstream + upstream.mT
    for iterations in (2, 3, 5):
        found, expected = (
            torch.autograd.grad(root(a, iterations), a, upstream)[0]
            for root in (published_root, partial(matrix_sqrt, algorithm="products"))
        )
        torch.testing.assert_close(found, expected)


def test_what_is_kept_between_the_passes() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(7))

        def forward(self, x: Tensor) -> Tensor:
            return (x * self.weight).square()

    # The map, for the gradient of the weight, and the product, for the square's.
    assert kept_bytes(Square(), torch.ones(3, 7)) == 2 * 3 * 7 * 4


def test_result_survives_json_and_has_all_figures() -> None:
    result = measure_block(SMALL, ONCE)
    assert BlockResult.from_plain(json.loads(json.dumps(asdict(result)))) == result
    for what in ("inference", "training", "memory"):
        ratio = result.ratio(what)
        assert ratio is not None
        assert ratio > 0
    assert BlockResult(SMALL.name, SMALL, {}, {}).ratio("memory") is None


def run(out: Path) -> bench.BenchResults:
    return bench.run_bench([], [], out, bench.Efforts(ONCE, ONCE, ONCE), lambda *_: None, blocks=[SMALL])


def test_blocks_in_a_whole_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run(tmp_path)
    assert results.failures == {}
    (block,) = json.loads((tmp_path / "results.json").read_text())["blocks"]
    assert block["ratios"].keys() == {"inference", "training", "memory"}
    monkeypatch.delattr(runner, "measure_block")
    assert run(tmp_path).blocks == results.blocks
    bench.show_progress(1, 1, SMALL.name, results.blocks[0])
    bench.print_results(results)
    shown = capsys.readouterr().out
    assert "training" in shown
    assert "× published" in shown
    assert "Blocks and heads: ours as multiples" in shown
    bench.write_chart(results, tmp_path / "chart.html")
    assert "<h2>Blocks and heads" in (tmp_path / "chart.html").read_text()


def test_a_missing_figure_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "measure_block", lambda case, effort: BlockResult(case.name, case, {}, {"ours": 1}))
    reason = run(tmp_path).failures[SMALL.name]
    assert "inference of published" in reason
    assert "memory of published" in reason


def test_every_block_and_head_is_measured_in_a_network() -> None:
    cases = block_network_cases()
    assert {case.network for case in cases if case.method == "block"} == {*list_attentions()}
    assert {case.network for case in cases if case.method == "head"} == {*list_poolings()} - {"average"}
    for case in block_network_cases(quick=True):
        static, ours = (build(case, form) for form in ("static", "ours"))
        assert [type(m) for m in static.modules()] != [type(m) for m in ours.modules()]
        assert ours.eval()(torch.randn(1, 3, 32, 32)).shape == (1, 1000)


def test_command_line_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--blocks", "--list", "--only", "isqrt"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "resnet50 ending in isqrt_cov batch 8 128×128",
        "isqrt_cov alone, 2048 channels on 14×14 batch 8",
    ]
