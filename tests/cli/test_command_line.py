"""The command line: help, lists, a run from start to evaluation, and one readable line for every mistake."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dynaconv.cli.main import VERBS, main

QUICK = ["--image-size", "8", "--width", "0.05", "--epochs", "1", "--batch-size", "200", "--quiet"]


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a wrong command line ends with."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err
    assert line.startswith("dynaconv: error: ")
    assert line.count("\n") == 1
    assert "Traceback" not in line
    return line


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)
    assert "examples:" in text


@pytest.mark.parametrize("verb", ["train", "evaluate", "bench", "list", "info"])
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: dynaconv {verb}" in text
    assert f"  dynaconv {verb}" in text.split("examples:")[1]


def test_help_imports_no_training() -> None:
    program = (
        "import sys; from dynaconv.cli.main import main; main(['--help']);"
        "print([m for m in ('lightning', 'torchvision', 'kornia', 'jsonargparse', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_dynaconv_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dynaconv", "trian"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "did you mean 'train'?" in done.stderr


def test_train_resume_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "--conv", "static", "--out", str(out), *QUICK]) == 0
    first = capsys.readouterr().out
    assert "accuracy: clean" in first
    assert "already holds a run" in failure(capsys, "train", "--conv", "static", "--out", str(out), *QUICK)
    assert main(["train", "--config", str(out / "config.yaml"), "--resume", "--quiet"]) == 0
    assert capsys.readouterr().out == first
    assert main(["evaluate", str(out), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert f"clean {measured['clean_accuracy']:.2%}" in first


def test_flags_override_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("epochs: 3\nlr: 0.5\nseed: 4\n")
    with pytest.raises(SystemExit):
        main(["train", "--config", str(recipe), "--lr", "0.25", "--print_config"])
    printed = capsys.readouterr().out
    assert "lr: 0.25" in printed
    assert "seed: 4" in printed


WRONG = {
    "unknown flag": (["--learning-rate", "1"], "unrecognized arguments: --learning-rate"),
    "wrong type": (["--epochs", "many"], "epochs"),
    "missing recipe": (["--config", "none.yaml"], "none.yaml"),
    "missing data folder": (["--data", "cifar10", "--data-root", "nowhere"], "nowhere"),
    "no workers": (["--workers", "0"], "workers=0: expected an integer >= 1, or left out to load in the training"),
    "no devices": (["--devices", "0"], "devices=0: expected an integer >= 1"),
    "large batch": (["--batch-size", "100000"], "batch_size=100000: expected at most the 1437 training images"),
    "unknown model": (["--model", "kernel_wieghted_cnn"], "did you mean 'kernel_weighted_cnn'?"),
    "unknown method": (["--conv", "sttic"], "did you mean 'static'?"),
    "unknown data": (["--data", "digit"], "digits"),
    "unknown optimizer": (["--optimizer", "adma"], "did you mean 'adam'?"),
    "negative rate": (["--lr", "-1"], "lr=-1.0: expected a finite number > 0"),
    "no epochs": (["--epochs", "0"], "epochs=0: expected an integer >= 1"),
    "not a number": (["--lr", "nan"], "lr"),
    "unknown accelerator": (["--accelerator", "abacus"], "accelerator='abacus'"),
    "unknown strategy": (["--strategy", "luck"], "strategy='luck'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_end_in_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = WRONG[case]
    assert message in failure(capsys, "train", "--out", str(tmp_path / "run"), "--quiet", *words)


@pytest.mark.parametrize(
    ("text", "message"),
    [("epoch: 3\n", "epoch"), ("epochs: [1]\n", "epochs"), ("epochs: [\n", "config"), ("lr: .nan\n", "lr")],
)
def test_wrong_recipes_end_in_one_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text)
    assert message in failure(capsys, "train", "--config", str(recipe), "--out", str(tmp_path / "run"))


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    line = failure(capsys, "train", "--out", str(tmp_path / "file" / "run"), *QUICK)
    assert "cannot be written: Not a directory; choose another folder with --out" in line


def test_a_folder_without_permission_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    words = ["train", "--out", str(closed / "run"), *QUICK]
    if os.geteuid() == 0:  # the superuser may write anywhere
        assert main(words) == 0
    else:
        assert "cannot be written: Permission denied" in failure(capsys, *words)


def test_evaluate_needs_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no finished run" in failure(capsys, "evaluate", str(tmp_path))
    failure(capsys, "evaluate")


def test_list_and_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    names = json.loads(capsys.readouterr().out)
    assert "static" in names["methods"]
    assert "kernel_weighted_cnn" in names["models"]
    assert "digits" in names["data sets"]
    assert main(["list"]) == 0
    assert "kernel_weighted_cnn" in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    assert {"python", "torch", "dynaconv", "threads"} <= json.loads(capsys.readouterr().out).keys()
    assert main(["info"]) == 0
    assert "lightning" in capsys.readouterr().out
    failure(capsys, "info", "--jsn")


def test_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "kernel_weighted_cnn", "--size", "32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "parameters", "multiply-adds", "assembly"]
    assert lines[-1].split() == ["total", "1,321,125", "242,012,800", "0"]
    assert main(["profile", "resnet18", "--conv", "dyconv", "--size", "64", "--classes", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["assembly"] == sum(layer["assembly"] for layer in found["layers"]) > 40_000_000
    assert main(["profile", "odconv9x_resnet18"]) == 2
    assert "name='odconv9x_resnet18': expected one of" in capsys.readouterr().err


def test_list_and_info_work_without_extras() -> None:
    program = (
        "import sys\n"
        "for name in ('rich', 'lightning', 'jsonargparse', 'yaml', 'safetensors', 'torchvision', 'kornia'):\n"
        "    sys.modules[name] = None\n"
        "from dynaconv.cli.main import main\n"
        "assert main(['list']) == 0 and main(['info']) == 0\n"
        "raise SystemExit(main(['train', '--help']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "kernel_weighted_cnn" in done.stdout
    assert done.returncode == 2
    assert "is not installed; it comes with: pip install 'dynaconv[train]'" in done.stderr
