"""`dynaconv VERB ...`: finds the verb, runs it, and says in one line what went wrong."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from dynaconv.errors import DynaconvError

__all__ = ["VERBS", "main"]

VERBS = {
    "demo": ("dynaconv.cli.demo", "train four small networks on digits and write a report"),
    "train": ("dynaconv.cli.train", "train a network; resume a run"),
    "evaluate": ("dynaconv.cli.evaluate", "test the network of a finished run"),
    "bench": ("dynaconv.cli.bench", "times and memory against static networks and published code"),
    "profile": ("dynaconv.cli.profile", "a network's layers, parameters and multiply-adds"),
    "export": ("dynaconv.cli.export", "a network as an ONNX file, checked in onnxruntime"),
    "plan": ("dynaconv.cli.plan", "which layers of a network a method would replace, and why"),
    "convert": ("dynaconv.cli.convert", "a network made dynamic with what it has learned"),
    "list": ("dynaconv.cli.list", "what there is: methods, networks, data sets"),
    "info": ("dynaconv.cli.info", "versions and hardware, for bug reports"),
}

_USAGE_ERROR = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line.

    Args:
        argv: the words after `dynaconv`; `None` takes those of the process.

    Returns:
        The exit code: 0, 2 for anything wrong with what was given, 130 if interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0 if words else _USAGE_ERROR
    verb, *rest = words
    try:
        return _run(verb, rest)
    except DynaconvError as error:
        return _fail(" ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.stderr.write("dynaconv: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`dynaconv list | head`); the interpreter must not flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(verb: str, words: list[str]) -> int:
    if verb == "--version":
        from dynaconv import __version__

        sys.stdout.write(f"dynaconv {__version__}\n")
        return 0
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return _fail(f"{verb!r} is no verb{hint} There are: {', '.join(VERBS)}; see `dynaconv --help`")
    code: int = import_module(VERBS[verb][0]).run(words)
    return code


def _fail(message: str) -> int:
    sys.stderr.write(f"dynaconv: error: {message}\n")
    return _USAGE_ERROR


def _overview() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {what}" for verb, (_, what) in VERBS.items())
    return (
        "usage: dynaconv VERB [...]\n\n"
        "Convolutions whose kernels depend on the input: train, test and compare them.\n\n"
        f"verbs:\n{verbs}\n\n"
        "examples:\n"
        "  dynaconv demo\n"
        "  dynaconv train --data digits --model kernel_weighted_cnn --width 0.25 --epochs 10 --out runs/first\n"
        "  dynaconv train --help\n"
    )
