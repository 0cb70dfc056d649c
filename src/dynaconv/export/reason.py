"""Why an exporter failed, in one line."""

from __future__ import annotations

__all__ = ["reason"]

_LONGEST = 500


def reason(error: BaseException) -> str:
    """What the first of a chain of errors says, its kind before it, cut where it is long."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_LONGEST]}" + ("…" if len(text) > _LONGEST else "")
