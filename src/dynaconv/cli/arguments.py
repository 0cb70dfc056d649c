"""Argument parsers of verbs that need no extra: errors become one line, help keeps its examples as written."""

from __future__ import annotations

import argparse
from typing import NoReturn

from dynaconv.errors import ConfigError

__all__ = ["plain_parser"]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (see `{self.prog} --help`)")


def plain_parser(verb: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser for one verb.

    Args:
        verb: the word after `dynaconv`.
        description: what the verb does.
        examples: command lines, indented, shown below the help.
    """
    return _Parser(
        prog=f"dynaconv {verb}",
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
