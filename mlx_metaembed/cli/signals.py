"""Ctrl-C, SIGTERM and SIGHUP: a verb ends as if by an error, so that it takes away what it had half-written."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """A signal has ended the program; its exit status is 128 and the signal's number, as in a shell."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def end(number: int, _frame: FrameType | None = None) -> None:
    """Raise what a signal means: KeyboardInterrupt for Ctrl-C, Ended for the others."""
    hang_up(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Ended(number)


def hang_up(number: int) -> None:
    """After SIGHUP nothing can be written to the terminal; what would be goes nowhere."""
    if number == signal.SIGHUP:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            if os.isatty(stream):
                os.dup2(nowhere, stream)
        os.close(nowhere)


@contextmanager
def handled(handle: Callable[[int, FrameType | None], None] = end) -> Iterator[None]:
    """Signals go to `handle` in this block; what `nohup` has asked to ignore stays ignored."""
    # Python hears of signals in its main thread alone.
    numbers = NUMBERS if threading.current_thread() is threading.main_thread() else ()
    before = {
        number: signal.signal(number, handle)
        for number in numbers
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def discard_output() -> None:
    """What is still to be written to stdout goes nowhere: the other end is closed, or the disk full."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
