"""How commands end: in one line on standard error, and by exit codes as Unix has them."""

import errno
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

FAILED, INTERRUPTED, PIPE_CLOSED = 1, 130, 141  # the latter two are 128 and the number of the signal
WORDS = {  # of Python, and of the command line
    "overwrite=True": "--overwrite",
    "the same call goes": "the same command goes",
    "in schema_.notes:": "in what `sksynth info` tells of the model:",
}


class Program(click.Group):
    """A group of commands whose errors are told in one line, and with a traceback only where ``--debug`` asks for it."""

    def invoke(self, ctx: click.Context):
        """Call the command that was asked for."""
        with _reported(ctx), _told_warnings():
            return super().invoke(ctx)


@contextmanager
def _reported(ctx: click.Context) -> Iterator[None]:
    """End with the exit code of what is raised in the block; click itself ends wrong usage, with 2."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        ctx.exit(PIPE_CLOSED)
    except KeyboardInterrupt as error:
        say(one_line(error) or "interrupted")
        ctx.exit(INTERRUPTED)
    except Exception as error:
        if ctx.params["debug"]:
            raise
        say(one_line(error) or type(error).__name__)
        ctx.exit(FAILED)


def one_line(error: BaseException) -> str:
    """Return an error and its notes as one line, in the words of the command line."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return _in_one_line(" ".join([text, *getattr(error, "__notes__", ())]))


def _in_one_line(text):
    line = " ".join(text.split())
    for python, command in WORDS.items():
        line = line.replace(python, command)
    return line


def say(text: str) -> None:
    """Write a line to standard error."""
    click.echo(_printable(f"sksynth: {text}", sys.stderr), err=True)


def tell(text: str) -> None:
    """Write text to standard output; characters that its encoding has not are escaped."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    click.echo(_printable(text, sys.stdout))


def _printable(text, stream):
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def _told_warnings() -> Iterator[None]:
    """Have warnings told in one line."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(f"warning: {_in_one_line(str(message))}")
        yield
