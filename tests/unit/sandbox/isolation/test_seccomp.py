"""The filter of both machines, run in a machine of our own: the kernel of this one runs only one of them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from techdocs_server.sandbox.isolation.seccomp import assemble
from techdocs_server.sandbox.isolation.system_call_numbers import NEWEST_KNOWN, number_of
from techdocs_server.sandbox.isolation.system_calls import refusals

from tests.support.bpf import AARCH64, ALLOW, I386, KILL, X86_64, error, verdict

MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
machines = pytest.mark.parametrize("machine", MACHINES)

THREAD = 0x003D_0F00
FORK = 0x0120_0011


def says(machine: str, name: str, *arguments: int, programs: bool = False, scoped: bool = True) -> int:
    program = list(assemble(refusals(programs=programs, signals_are_scoped=scoped), machine))
    number = number_of(name, machine)
    assert number is not None
    return verdict(program, machine=MACHINES[machine], number=number, arguments=arguments)


@machines
@pytest.mark.parametrize(
    "name", ["socket", "connect", "ptrace", "mount", "unshare", "setsid", "bpf", "setuid", "sendmsg", "truncate"]
)
def test_dangerous_call_is_refused_with_an_error(machine: str, name: str) -> None:
    assert says(machine, name) == error(errno.EPERM)


@machines
@pytest.mark.parametrize("name", ["clone3", "io_uring_setup", "memfd_create", "openat2"])
def test_call_that_has_an_older_form_does_not_exist(machine: str, name: str) -> None:
    assert says(machine, name, programs=True) == error(errno.ENOSYS)


@machines
def test_call_that_changes_modes_seems_to_succeed(machine: str) -> None:
    assert says(machine, "fchmodat") == error(0)


@machines
def test_setting_a_time_seems_to_succeed_and_touching_is_refused(machine: str) -> None:
    assert says(machine, "utimensat", 0, 0x7FFE_0000_1000, 0x7FFE_0000_2000) == error(0)
    assert says(machine, "utimensat", 0, 0x7FFE_0000_1000, 0) == error(errno.EPERM)


@machines
def test_threads_are_started_and_processes_are_not(machine: str) -> None:
    assert says(machine, "clone", THREAD) == ALLOW
    assert says(machine, "clone", FORK) == error(errno.EPERM)
    assert says(machine, "execve") == error(errno.EPERM)


@machines
def test_programs_are_started_without_namespaces_of_their_own(machine: str) -> None:
    assert says(machine, "clone", FORK, programs=True) == ALLOW
    assert says(machine, "execve", programs=True) == ALLOW
    for namespace in (0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000):
        assert says(machine, "clone", FORK | namespace, programs=True) == error(errno.EPERM)


@machines
def test_process_signals_itself_alone(machine: str) -> None:
    assert says(machine, "kill", os.getpid(), 9) == ALLOW
    assert says(machine, "kill", 1, 9) == error(errno.EPERM)
    assert says(machine, "kill", 2**32 - 1, 9) == error(errno.EPERM)
    assert says(machine, "tgkill", os.getpid(), os.getpid(), 9) == ALLOW


@machines
def test_programs_signal_each_other_only_where_landlock_keeps_them_in(machine: str) -> None:
    assert says(machine, "kill", 1, 9, programs=True, scoped=True) == ALLOW
    assert says(machine, "kill", os.getpid(), 9, programs=True, scoped=False) == error(errno.EPERM)


@machines
def test_pair_of_streams_is_made_and_used_and_names_nobody(machine: str) -> None:
    assert says(machine, "socketpair", 1, 1 | 0o2000000) == ALLOW
    assert says(machine, "socketpair", 1, 2) == error(errno.EPERM)
    assert says(machine, "socketpair", 2, 1) == error(errno.EPERM)
    assert says(machine, "sendto", 3, 0, 1, 0, 0, 0) == ALLOW
    assert says(machine, "sendto", 3, 0, 1, 0, 0x7FFF_0000_0000, 16) == error(errno.EPERM)
    assert says(machine, "sendto", 3, 0, 1, 0, 0x1000, 16) == error(errno.EPERM)


@machines
def test_file_is_not_emptied_by_opening_it_for_reading(machine: str) -> None:
    assert says(machine, "openat", 0, 0, os.O_RDONLY | os.O_TRUNC) == error(errno.EPERM)
    assert says(machine, "openat", 0, 0, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) == ALLOW
    assert says(machine, "openat", 0, 0, os.O_RDONLY) == ALLOW


@machines
def test_memory_that_is_not_counted_is_refused(machine: str) -> None:
    assert says(machine, "mmap", 0, 4096, 3, 0x22) == ALLOW
    assert says(machine, "mmap", 0, 4096, 1, 0x01) == ALLOW
    assert says(machine, "mmap", 0, 4096, 3, 0x21) == error(errno.ENOMEM)
    assert says(machine, "mmap", 0, 4096, 3, 0x122) == error(errno.ENOMEM)


@machines
def test_other_calls_are_allowed(machine: str) -> None:
    program = list(assemble(refusals(programs=False, signals_are_scoped=True), machine))
    read = {"x86_64": 0, "aarch64": 63}[machine]
    assert verdict(program, machine=MACHINES[machine], number=read) == ALLOW


@machines
def test_call_of_another_machine_ends_the_process(machine: str) -> None:
    program = list(assemble(refusals(programs=True, signals_are_scoped=True), machine))
    assert verdict(program, machine=I386, number=20) == KILL


@machines
@pytest.mark.parametrize("number", [NEWEST_KNOWN + 1, 0x4000_0000 + 39, 2**32 - 1])
def test_call_that_nobody_looked_at_does_not_exist(machine: str, number: int) -> None:
    program = list(assemble(refusals(programs=True, signals_are_scoped=True), machine))
    assert verdict(program, machine=MACHINES[machine], number=number) == error(errno.ENOSYS)


@machines
@pytest.mark.parametrize("programs", [True, False])
def test_program_fits_into_the_kernel_and_names_each_call_once(machine: str, programs: bool) -> None:
    names = [refusal.name for refusal in refusals(programs=programs, signals_are_scoped=False)]
    assert len(names) == len(set(names))
    assert len(list(assemble(refusals(programs=programs, signals_are_scoped=False), machine))) < 4096


HEADERS = {
    "x86_64": Path(f"/usr/include/{os.uname().machine}-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@machines
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text()))
    named = {
        refusal.name for programs in (True, False) for refusal in refusals(programs=programs, signals_are_scoped=False)
    }
    known = {name: number for name in named if (number := number_of(name, machine)) is not None}
    # Headers may be older than the newest calls.
    assert {name: int(defined[name]) for name in known if name in defined} == {
        name: number for name, number in known.items() if name in defined
    }
    assert named - known.keys() <= named - defined.keys()


@machines
def test_process_may_ask_to_die_with_its_parent_and_nothing_else(machine: str) -> None:
    pdeathsig, sigkill = 1, 9
    assert says(machine, "prctl", pdeathsig, sigkill) == ALLOW
    for other in (0, 1, 15):
        assert says(machine, "prctl", pdeathsig, other) == error(errno.EPERM)
    assert says(machine, "prctl", 15, 0) == ALLOW
