"""Which system calls a build process is refused, and how.

A call that is not named here is allowed if it existed when the list was written,
and does not exist for the process otherwise (`system_call_numbers.NEWEST_KNOWN`).
What is refused is refused with an error: a library that tries it without need
goes on.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

# The values are those of Linux on both machines of the table; Python has no names for most.
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE = 1, 1, 0xF
_CLONE_THREAD, _CLONE_PARENT, _CLONE_NEW_ANY = 0x0001_0000, 0x0000_8000, 0x7E02_0000
_PR_SET_PDEATHSIG = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_MAP_SHARED_ANONYMOUS, _MAP_GROWSDOWN = 0x21, 0x100
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_ANY = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Condition:
    """Refuses a call when an argument, masked, has a value; or when it has any other, with ``unless``.

    ``word`` is 0 for the low and 1 for the high half of the argument. With ``also``
    both must hold.
    """

    argument: int
    value: int
    mask: int = _ANY
    word: int = 0
    unless: bool = False
    also: Condition | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call and the error it gets, always or under any of some conditions. Error 0 pretends success.

    ``otherwise`` is the error where no condition holds, None to allow the call there.
    """

    name: str
    error: int = errno.EPERM
    conditions: tuple[Condition, ...] = ()
    otherwise: int | None = None


# No connection to anything, and no message to a name: even one half of a pair can be sent to any socket there is.
_SOCKETS = "socket connect bind listen accept accept4 sendmsg sendmmsg"
# Who stays in the process group dies with it.
_LEAVING = "setsid setpgid"
# Same user, same rights: without this the server itself could be stopped, slowed or read.
_OTHER_PROCESSES = (
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd pidfd_send_signal kcmp "
    "migrate_pages move_pages rt_sigqueueinfo rt_tgsigqueueinfo tkill setpriority ioprio_set perf_event_open"
)
# The kernel's largest attack surface, and ways around paths that are checked.
_NAMESPACES = (
    "unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr "
    "statmount listmount"
)
_IDENTITIES = "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset"
# What Landlock does not see, or not in all its versions.
_FILES = (
    "truncate open_by_handle_at name_to_handle_at mknod mknodat setxattr lsetxattr fsetxattr removexattr lremovexattr "
    "fremovexattr fanotify_init fanotify_mark quotactl quotactl_fd acct swapon swapoff"
)
# Memory that no limit of a process counts, found by everybody of the same user.
_MEMORY = "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink"
_MACHINE = (
    "bpf keyctl add_key request_key init_module finit_module delete_module kexec_load kexec_file_load reboot syslog "
    "sethostname setdomainname iopl ioperm modify_ldt settimeofday clock_settime adjtimex clock_adjtime personality "
    "vhangup lookup_dcookie nfsservctl uselib"
)
_REFUSED = (_SOCKETS, _LEAVING, _OTHER_PROCESSES, _NAMESPACES, _IDENTITIES, _FILES, _MEMORY, _MACHINE)

# Callers fall back to an older call that can be looked into, or do without.
_ABSENT = (
    "clone3 io_uring_setup io_uring_enter io_uring_register memfd_create memfd_secret userfaultfd pidfd_open openat2"
)
# Landlock lets these through to every file of the same user. Copying a file calls them: a refusal ends the copy.
_PRETENDED = "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat"
_EXECUTING = "execve execveat"
_STARTING = f"fork vfork {_EXECUTING}"
# Of these the first argument is a process, 0 for the caller.
_OF_A_PROCESS = "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr"


def refusals(*, programs: bool, signals_are_scoped: bool, forks: bool = False) -> Iterator[Refusal]:
    """Yield every refusal, each call once.

    Without ``programs`` and ``forks`` this process is the only one of its build; with
    ``forks`` it may have children that run what it runs. With programs and
    without ``signals_are_scoped``, which is Landlock's, nothing but the end of a
    process is signalled.
    """
    yield from (Refusal(name) for names in _REFUSED for name in names.split())
    yield from (Refusal(name, errno.ENOSYS) for name in _ABSENT.split())
    yield from (Refusal(name, 0) for name in _PRETENDED.split())
    # Pretended like these with a time. Without one it is the first thing that touch() tries: believing it had
    # succeeded, touch() would not make the file.
    yield Refusal("utimensat", errno.EPERM, (Condition(2, 0),), otherwise=0)
    yield from _by_arguments()
    yield from _new_processes(programs=programs, forks=forks)
    yield from _signals(programs=programs, scoped=signals_are_scoped)


def refusals_of_a_zygote(*, programs: bool) -> Iterator[Refusal]:
    """Yield what a process is refused that only forks builds: these still have to isolate themselves."""
    refused = (_SOCKETS, _OTHER_PROCESSES, _NAMESPACES, _MEMORY, _MACHINE, "" if programs else _EXECUTING)
    yield from (Refusal(name) for names in refused for name in names.split())


def _by_arguments() -> Iterator[Refusal]:
    yield from (Refusal(name, conditions=(Condition(0, 0, unless=True),)) for name in _OF_A_PROCESS.split())
    # What asyncio wakes itself with. A pair of datagram sockets is more than a pipe: each has a way to any name.
    yield Refusal(
        "socketpair",
        conditions=(Condition(0, _AF_UNIX, unless=True), Condition(1, _SOCK_STREAM, _SOCK_TYPE, unless=True)),
    )
    yield Refusal("sendto", conditions=(Condition(4, 0, unless=True), Condition(4, 0, word=1, unless=True)))
    # The child dies with its parent, and cannot say otherwise; those that it forks may want the same.
    other_signal = Condition(1, signal.SIGKILL, unless=True)
    yield Refusal("prctl", conditions=(Condition(0, _PR_SET_PDEATHSIG, also=other_signal),))
    yield Refusal("ioctl", conditions=(Condition(1, _TIOCSTI), Condition(1, _TIOCLINUX)))
    # RLIMIT_DATA counts neither shared memory without a file nor a mapping that grows like a stack.
    yield Refusal(
        "mmap",
        errno.ENOMEM,
        (
            Condition(3, _MAP_SHARED_ANONYMOUS, _MAP_SHARED_ANONYMOUS),
            Condition(3, _MAP_GROWSDOWN, _MAP_GROWSDOWN),
        ),
    )
    # Opened for reading, emptied all the same: Landlock sees that from its third version on.
    yield Refusal("open", conditions=(Condition(1, _O_TRUNC, _O_TRUNC | _O_ACCMODE),))
    yield Refusal("openat", conditions=(Condition(2, _O_TRUNC, _O_TRUNC | _O_ACCMODE),))


def _new_processes(*, programs: bool, forks: bool) -> Iterator[Refusal]:
    # A sibling instead of a child would be one that the server never reaps.
    safe = Condition(0, 0, _CLONE_NEW_ANY | _CLONE_PARENT, unless=True)
    if programs:
        yield Refusal("clone", conditions=(safe,))
        return
    only_threads = () if forks else (Condition(0, _CLONE_THREAD, _CLONE_THREAD, unless=True),)
    yield Refusal("clone", conditions=(safe, *only_threads))
    yield from (Refusal(name) for name in _STARTING.split())


def _signals(*, programs: bool, scoped: bool) -> Iterator[Refusal]:
    if programs and scoped:
        return
    only_itself = () if programs else (Condition(0, os.getpid(), unless=True),)
    yield from (Refusal(name, conditions=only_itself) for name in ("kill", "tgkill"))
