"""How a tokenizer is told what it breaks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["TokenizerError", "expect", "kind_of", "trying"]

LONGEST = 1_000  # characters of what went wrong


class TokenizerError(AssertionError):
    """A tokenizer that breaks its protocol: at which point, what was got, what was expected, and the remedy."""


def expect(holds: Any, point: str, got: Any, expected: str, remedy: str) -> None:
    """Refuse a tokenizer for which a point of the protocol does not hold.

    Raises
    ------
    TokenizerError
        "fit: got None, expected self; end it with 'return self'"
    """
    if not holds:
        raise TokenizerError(f"{point}: got {got}, expected {expected}; {remedy}")


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    return "None" if value is None else f"a {type(value).__name__}"


@contextmanager
def trying(point: str, expected: str, remedy: str) -> Iterator[None]:
    """Make whatever a tokenizer raises within the block a `TokenizerError`."""
    try:
        yield
    except TokenizerError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise TokenizerError(f"{point}: got {got:.{LONGEST}}, expected {expected}; {remedy}") from error
