"""Argument parsers: typed flags, YAML recipes, and errors as one line."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints

from dynaconv.errors import ConfigError, MissingExtraError
from dynaconv.train.config import GROUPS, TrainConfig

try:
    from jsonargparse import ActionYesNo, ArgumentParser
except ModuleNotFoundError as error:
    raise MissingExtraError("jsonargparse", "train") from error

__all__ = ["add_config_flags", "make_parser", "parse"]


_METAVARS = {str: "NAME", str | None: "NAME", int: "N", int | None: "N", float: "X", float | None: "X"}


class _Parser(ArgumentParser):
    """Raises `ConfigError` instead of printing usage and leaving."""

    def error(self, message: str, ex: Exception | None = None) -> None:  # type: ignore[override]  # never returns
        line = " ".join(str(message).split())
        raise ConfigError(f"{line} (see `{self.prog} --help`)")


def make_parser(verb: str, usage: str, description: str, examples: str) -> ArgumentParser:
    """A parser for one verb; `examples` are shown below its help."""
    return _Parser(
        prog=f"dynaconv {verb}",
        usage=usage,
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config_flags(parser: ArgumentParser) -> None:
    """One flag per field of `TrainConfig`, in its groups, and `--config` for a recipe."""
    parser.add_argument("--config", action="config", help="YAML recipe; flags after it override its values")
    hints = get_type_hints(TrainConfig)
    groups = {name: parser.add_argument_group(f"{name}: {what}") for name, what in GROUPS.items()}
    for entry in fields(TrainConfig):
        flag = f"--{entry.name.replace('_', '-')}"
        default = _default(entry)
        words = entry.metadata["help"] if default in (None, (), {}) else f"{entry.metadata['help']} [{default}]"
        group = groups[entry.metadata["group"]]
        if hints[entry.name] is bool:
            group.add_argument(flag, action=ActionYesNo(no_prefix="no-"), default=default, help=words)
        else:
            group.add_argument(
                flag,
                type=hints[entry.name],
                default=default,
                help=words,
                metavar=_METAVARS.get(hints[entry.name], "VALUE"),
            )


def parse(parser: ArgumentParser, words: list[str]) -> dict[str, Any]:
    """The values of `words` by name.

    Raises:
        ConfigError: naming the flag or key that is wrong.
    """
    return dict(vars(parser.parse_args(words)))


def _default(entry: Field[Any]) -> object:
    if entry.default_factory is not MISSING:
        return entry.default_factory()
    return entry.default
