"""A whole small benchmark: files, resuming, what is missing, and the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from dynaconv import bench
from dynaconv.bench import runner
from dynaconv.bench.equality import NotEqualError
from dynaconv.bench.measure import Effort, Timing
from dynaconv.bench.measure_network import NetworkResult
from dynaconv.bench.measure_operator import OperatorResult, PassResult
from dynaconv.bench.networks import NetworkCase
from dynaconv.bench.operators import OperatorCase
from dynaconv.bench.store import Store
from dynaconv.cli.main import main
from dynaconv.dispatch import Problem
from dynaconv.errors import RunFolderError
from dynaconv.spec import ConvSpec

SPEC = ConvSpec.parse(4, 6, 3, dims=2, padding=1)
NETWORK = NetworkCase("kernel_weighted_cnn", "seed", 0, 2, 32)
OPERATOR = OperatorCase("growth", Problem("mixture_conv", SPEC, 2, (5, 5), 4, ("tap_scale",)), "batch", 2)
EFFORTS = bench.Efforts(Effort(least=1, most=1, seconds=0), Effort(least=1, most=1, seconds=0))


def nothing(*_: object) -> None:
    """Progress that nobody looks at."""


run = partial(bench.run_bench, efforts=EFFORTS, progress=nothing)


def timing(seconds: float) -> Timing:
    return Timing(seconds, seconds, seconds, 1)


def made_up_network(**changes: object) -> NetworkResult:
    seconds = {what: {form: timing(1.0 + i) for i, form in enumerate(NETWORK.forms)} for what in NETWORK.passes}
    peaks = {form: 2**20 * (i + 1) for i, form in enumerate(NETWORK.forms)}
    values = {"seconds": seconds, "step_bytes": peaks, **changes}
    return NetworkResult(NETWORK.name, NETWORK, {"static": 1, "ours": 2}, **values)


def made_up_operator(chosen: str = "slow") -> OperatorResult:
    found = PassResult(chosen, timing(1), None, timing(3), {"fast": timing(2), "slow": timing(3)})
    return OperatorResult("growth", "mixture_conv: x", "batch", 2, {"forward": found, "backward": found}, {})


def test_end_to_end_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = run([NETWORK], [OPERATOR], tmp_path)
    assert results.failures == {}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content.keys() == {
        *("format", "environment", "settings", "networks", "blocks", "operators", "failures", "default_choice")
    }
    assert {"torch", "processor", "threads", "commit", "native_kernels"} <= content["environment"].keys()
    (network,) = content["networks"]
    assert network["ratios"].keys() == {"inference", "training", "memory"}
    assert network["ratios"]["memory"]["static"].keys() == {"static", "ours", "grouped"}
    assert network["ratios"]["training"]["grouped"]["grouped"] == 1
    assert network["seconds"]["inference"]["ours"].keys() == {"median", "low", "high", "runs"}
    (operator,) = content["operators"]
    assert {"static", "default", "grouped", "chosen", "algorithms"} == operator["passes"]["backward"].keys()
    assert content["default_choice"]["problems"] == 2
    # Finished measurements are taken as they are: nothing is measured the second time.
    monkeypatch.delattr(runner, "measure_network")
    monkeypatch.delattr(runner, "measure_operator")
    assert run([NETWORK], [OPERATOR], tmp_path).networks == results.networks


def test_other_settings_or_a_torn_file_are_measured_again(tmp_path: Path) -> None:
    store = Store(tmp_path, {"threads": 1})
    store.put("case", {"a": 1})
    assert store.get("case") == {"a": 1}
    assert Store(tmp_path, {"threads": 2}).get("case") is None
    (file,) = tmp_path.iterdir()
    file.write_text('{"a"')
    assert store.get("case") is None


def test_a_failing_case_is_named_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(case: NetworkCase, effort: Effort) -> NetworkResult:
        raise NotEqualError("layer1", "the output", 0.5)

    monkeypatch.setattr(runner, "measure_network", refuse)
    monkeypatch.setattr(runner, "measure_operator", lambda case, effort: made_up_operator())
    results = run([NETWORK], [OPERATOR], tmp_path)
    assert results.networks == ()
    assert len(results.operators) == 1
    assert "layer1 differs from the reference in the output by 5.0e-01" in results.failures[NETWORK.name]


@pytest.mark.parametrize(
    ("hole", "words"),
    [
        ({"seconds": {"inference": {}, "training": {}}}, "inference of static"),
        ({"step_bytes": {"static": 1, "ours": 1}}, "memory of grouped"),
    ],
)
def test_a_missing_measurement_is_a_failure(
    hole: dict[str, object], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "measure_network", lambda case, effort: made_up_network(**hole))
    assert words in run([NETWORK], [], tmp_path).failures[NETWORK.name]


def test_results_survive_json() -> None:
    for result in (made_up_network(), made_up_operator()):
        assert type(result).from_plain(json.loads(json.dumps(asdict(result)))) == result


def test_default_choice_counts_what_is_close() -> None:
    choice = bench.default_choice((made_up_operator("slow"), made_up_operator("fast")))
    assert choice.share == 0.5
    assert [row["times"] for row in choice.others] == [1.5, 1.5]
    assert choice.others[0]["best"] == "fast"


def test_results_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failures = {"a case": "why it failed"}
    environment = {"processor": "<chip>", "threads": 2, "torch": "2"}
    results = bench.BenchResults(environment, {}, (made_up_network(),), (made_up_operator(),), failures)
    bench.print_results(results)
    text = capsys.readouterr().out
    assert "within 15% of the fastest algorithm in 0% of 2 passes" in text
    assert "failed: a case: why it failed" in text
    assert "3.00 (3.00–3.00)" in text
    bench.write_chart(results, tmp_path / "chart.html")
    page = (tmp_path / "chart.html").read_text()
    assert all(title in page for title in ("<h2>Networks", "<h2>Growth", "<h2>Layers", "&lt;chip&gt;"))


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(runner, "measure_operator", lambda case, effort: made_up_operator())
    with pytest.raises(RunFolderError, match="cannot be written: Not a directory; choose another folder with --out"):
        run([], [OPERATOR], tmp_path / "file" / "out")


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(runner, "measure_network", lambda case, effort: made_up_network())
    words = ["bench", "--quick", "--networks", "--only", "kernel_weighted", "--out", str(tmp_path)]
    assert main(words) == 0
    assert (tmp_path / "chart.html").exists()
    assert "training 2.00× static" in capsys.readouterr().out
    monkeypatch.setattr(runner, "measure_network", lambda case, effort: made_up_network(step_bytes={}))
    assert main([*words[:-1], str(tmp_path / "other")]) == 1
    assert "no measurement of memory of static" in capsys.readouterr().out
    assert main([*words, "--list"]) == 0
    assert capsys.readouterr().out == "kernel_weighted_cnn batch 32 32×32\n"


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(case: NetworkCase, effort: Effort) -> NetworkResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "measure_network", interrupt)
    assert main(["bench", "--networks", "--quick", "--out", str(tmp_path)]) == 130
    assert f"go on with: dynaconv bench --networks --quick --out {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing like it"], "only=['nothing like it']: expected part of a case's name"),
        (["--threads", "0"], "threads=0: expected an integer >= 1"),
        (["--networks", "--operators"], "not allowed with argument"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_mistakes_end_in_one_line_of_bench(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count("\n") == 1
