"""The kernel's classic BPF machine, as much of it as a system call filter uses."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from techdocs_server.sandbox.isolation.seccomp import Instruction

X86_64, I386, AARCH64 = 0xC000_003E, 0x4000_0003, 0xC000_00B7
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000


def error(number: int) -> int:
    """Return the verdict that a call fails with an error."""
    return 0x0005_0000 | number


def verdict(program: Sequence[Instruction], *, machine: int, number: int, arguments: Sequence[int] = ()) -> int:
    """Return what a filter says of a call."""
    data = struct.pack("<IIQ6Q", number, machine, 0, *arguments, *(0 for _ in range(6 - len(arguments))))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, operand)[0]
            case 0x54:
                accumulator &= operand
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x25:
                at += if_true if accumulator > operand else if_false
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")
