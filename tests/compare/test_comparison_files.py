from __future__ import annotations

from pathlib import Path

import pytest

from dynaconv.compare import Comparison, Entry, EntryResult, EpochPoint, SeedRun, load_comparison, save_comparison
from dynaconv.errors import DataError, RunFolderError


@pytest.fixture
def comparison() -> Comparison:
    run = SeedRun(3, 100, 2000, 0.01, 0.9, 0.8, (EpochPoint(1, 2.0, 0.5, 0.4), EpochPoint(2, 1.0, 0.9, 0.8)))
    entry = Entry("a", "dot_product_cnn", None, 0.5, {"bank_size": 4})
    return Comparison("digits", 2, (3,), (EntryResult(entry, (run,)),))


def test_a_saved_comparison_is_read_again_as_it_was(comparison: Comparison, tmp_path: Path) -> None:
    save_comparison(comparison, tmp_path / "new" / "comparison.json")
    assert load_comparison(tmp_path / "new" / "comparison.json") == comparison


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: cannot be read \(No such file"):
        load_comparison(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "[1]", '{"data": "digits"}', '{"results": [{"entry": {}, "runs": []}]}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(DataError, match=r"other\.json: not a saved comparison \("):
        load_comparison(tmp_path / "other.json")


def test_a_place_that_cannot_be_written_is_named(comparison: Comparison, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"file/comparison\.json: cannot be written \("):
        save_comparison(comparison, tmp_path / "file" / "comparison.json")
