"""A pickle's opcodes as values, without the pickle machine: nothing is imported, called or changed.

Only the opcodes that a dict of tensors is made of are known. What they make is bounded: each makes one small object,
their number is limited, and what they put aside is kept in a dict, so that a number in the file reserves no memory.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any

MOST_OPCODES = 2_000_000
"""A checkpoint has some thirty a tensor."""
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
PLAIN = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "SHORT_BINBYTES", "BINBYTES"}
PLAIN |= {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
"""Those whose value stands behind them."""
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()
KEYS = (str, int, float, bytes, type(None))
"""What a key may be: a tuple of tuples that share their parts takes for ever to hash."""


def run(
    data: bytes,
    *,
    find: Callable[[str, str], Any],
    reduce: Callable[[Any, tuple], Any],
    persistent: Callable[[Any], Any],
) -> Any:
    """The value of a pickle. `find` gives what stands for a name, `reduce` the value of a call, `persistent` of an id.

    Raises ValueError where the pickle is cut, has other opcodes or too many, or does with a value what it can't.
    """
    machine = _Machine(find, reduce, persistent)
    for count, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data)), start=1):
        if count > MOST_OPCODES:
            raise ValueError(f"it has more than {MOST_OPCODES:,} opcodes")
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise ValueError("it does not end")


class _Machine:
    def __init__(self, find: Callable, reduce: Callable, persistent: Callable):
        self._find, self._reduce, self._persistent = find, reduce, persistent
        self._stack: list = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self._stack or self._stack[-1] is MARK:
            raise ValueError("it takes more than it has")
        return self._stack.pop()

    def step(self, name: str, argument: Any) -> None:
        if name in ("PROTO", "FRAME"):
            return
        if name == "MARK":
            self._stack.append(MARK)
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name])
        elif name in PLAIN:
            self._stack.append(argument)
        elif name in EMPTY:
            self._stack.append(EMPTY[name]())
        elif name in TUPLES:
            self._stack.append(tuple(reversed([self.pop() for _ in range(TUPLES[name])])))
        elif name == "TUPLE":
            self._stack.append(tuple(self._above_mark()))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            value = self.pop()
            self._stack.append(value)
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = value
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memo:
                raise ValueError(f"it has put nothing aside as {argument}")
            self._stack.append(self._memo[argument])
        elif name == "GLOBAL":
            self._stack.append(self._find(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            if not isinstance(attribute, str) or not isinstance(module, str):
                raise ValueError("it asks for a name that is no text")
            self._stack.append(self._find(module, attribute))
        elif name == "REDUCE":
            arguments, called = self.pop(), self.pop()
            if not isinstance(arguments, tuple):
                raise ValueError("it calls something without arguments")
            self._stack.append(self._reduce(called, arguments))
        elif name == "BINPERSID":
            self._stack.append(self._persistent(self.pop()))
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._above_mark() if name == "SETITEMS" else [*reversed([self.pop(), self.pop()])])
        elif name in ("APPEND", "APPENDS"):
            values = self._above_mark() if name == "APPENDS" else [self.pop()]
            self._top(list).extend(values)
        elif name == "BUILD":
            # torch gives a state_dict its _metadata in this way; no value needs it.
            self.pop()
            self._top(dict)
        else:
            raise ValueError(f"it has the opcode {name}, which no tensor needs")

    def _above_mark(self) -> list:
        values = []
        while self._stack:
            value = self._stack.pop()
            if value is MARK:
                return values[::-1]
            values.append(value)
        raise ValueError("it takes more than it has")

    def _top(self, kind: type) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise ValueError(f"it puts something into what is no {kind.__name__}")
        return self._stack[-1]

    def _set(self, pairs: list) -> None:
        found = self._top(dict)
        if len(pairs) % 2 or not all(isinstance(key, KEYS) for key in pairs[::2]):
            raise ValueError("it has keys that are no names or numbers")
        found.update(zip(pairs[::2], pairs[1::2], strict=True))
