"""Seccomp: which system calls exist for this process and its descendants, for good.

The filter is a program for the kernel's classic BPF machine, see seccomp(2). It
runs before every call and sees the call's number, machine and arguments, but
nothing that they point to.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator

from techdocs_server.sandbox.isolation.kernel import IS_LINUX, PR_SET_SECCOMP, prctl
from techdocs_server.sandbox.isolation.system_call_numbers import NEWEST_KNOWN, known, number_of
from techdocs_server.sandbox.isolation.system_calls import Condition, Refusal

_MODE_FILTER = 2

# Instructions: load a word of the call's data, mask it, compare it, end.
_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06

_ALLOW, _ERROR, _KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000

# struct seccomp_data: the number, the machine, the instruction pointer (8 bytes), six arguments of 8 bytes.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16

# AUDIT_ARCH_*. A call made in another machine's way, such as i386's on x86_64, has other numbers.
_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand: struct sock_filter."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def is_known_here() -> bool:
    """Whether there is a filter for this machine."""
    return IS_LINUX and known(os.uname().machine)


def install(refusals: Iterable[Refusal]) -> None:
    """Filter every system call from here on. Needs no_new_privs. Raises `OSError` when the kernel refuses."""
    machine = os.uname().machine
    if not is_known_here():
        raise OSError(errno.ENOSYS, f"no filter for {machine}")
    instructions = list(assemble(refusals, machine))
    content = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(content, len(content))
    program = _Program(len(instructions), ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))


def assemble(refusals: Iterable[Refusal], machine: str) -> Iterator[Instruction]:
    """Yield the program that refuses these calls on a machine, named as uname(2) does."""
    yield (_LOAD, 0, 0, _MACHINE)
    yield (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine])
    yield (_RETURN, 0, 0, _KILL_PROCESS)
    yield (_LOAD, 0, 0, _NUMBER)
    # Also x86_64's second set of numbers, x32, which begins at 0x40000000.
    yield (_JUMP_GREATER, 0, 1, NEWEST_KNOWN)
    yield (_RETURN, 0, 0, _ERROR | errno.ENOSYS)
    for refusal in refusals:
        number = number_of(refusal.name, machine)
        if number is not None:
            body = list(_body(refusal))
            yield (_JUMP_EQUAL, 0, len(body), number)
            yield from body
    yield (_RETURN, 0, 0, _ALLOW)


def _body(refusal: Refusal) -> Iterator[Instruction]:
    refuse = (_RETURN, 0, 0, _ERROR | refusal.error)
    if not refusal.conditions:
        yield refuse
        return
    for condition in refusal.conditions:
        yield from _tests(condition)
        yield refuse
    yield (_RETURN, 0, 0, _ALLOW if refusal.otherwise is None else _ERROR | refusal.otherwise)


def _tests(condition: Condition) -> Iterator[Instruction]:
    """Yield what goes on with the instruction behind when a condition holds, and jumps over that one otherwise."""
    further = list(_tests(condition.also)) if condition.also else []
    over = len(further) + 1
    yield (_LOAD, 0, 0, _word(condition))
    yield (_AND, 0, 0, condition.mask)
    yield (_JUMP_EQUAL, *((over, 0) if condition.unless else (0, over)), condition.value)
    yield from further


def _word(condition: Condition) -> int:
    # Both machines are little-endian: the low word comes first.
    return _ARGUMENTS + 8 * condition.argument + 4 * condition.word
