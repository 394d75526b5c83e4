"""What is compiled for a shape of network, kept for as long as a network of the shape is, or its score."""

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any
from weakref import WeakValueDictionary

import tensorflow as tf

_LOCK = RLock()
_LIVING: "WeakValueDictionary[Hashable, Compiled]" = WeakValueDictionary()


class Compiled:
    """What all networks of one shape share; who needs it holds it, and with the last of them its memory is free.

    At the module's level, functions of TensorFlow would keep every trace that was ever made.
    """

    def __init__(self):
        self._made: dict[Hashable, Any] = {}

    def once(self, make: Callable, *arguments: Hashable) -> Any:
        """Return what a function of these arguments has made the first time."""
        with _LOCK:
            if (make, arguments) not in self._made:
                self._made[make, arguments] = make(*arguments)
            return self._made[make, arguments]


def compiled_for(shape: Hashable) -> Compiled:
    """Return what is compiled for a shape: what others hold, if somebody does."""
    with _LOCK:
        compiled = _LIVING.get(shape)
        if compiled is None:
            compiled = _LIVING[shape] = Compiled()
        return compiled


def traced(shape: Hashable, function: Callable) -> Callable:
    """Return a function that is traced once for all networks of a shape."""
    return compiled_for(shape).once(_graph, function, False)


def by_xla(shape: Any, function: Callable) -> Callable:
    """Return a function, in one piece that XLA compiles where the shape asks for that."""
    return compiled_for(shape).once(_graph, function, True) if shape.loops == "xla" else function


def _graph(function, jit_compile):
    return tf.function(function, jit_compile=jit_compile or None, autograph=False)
