"""Runs a command as deploy/stentor.service would: its user's rights, its system calls, its kinds of sockets, no memory that is
written and run. For hosts where systemd is not the one who starts services. A system call that the unit does not list ends the process.

    sandbox.py UNIT COMMAND...

SANDBOX_REFUSED names system calls that are answered with EPERM instead.
"""

import ctypes
import os
import re
import subprocess
import sys

NOBODY = 65534
SCMP_ACT_KILL_PROCESS = 0x80000000
SCMP_ACT_ALLOW = 0x7FFF0000
SCMP_ACT_EPERM = 0x00050001
SCMP_CMP_EQ = 4
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 38, 65
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


class Compare(ctypes.Structure):
    """The libseccomp struct scmp_arg_cmp."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit, name):
    with open(unit, encoding="utf-8") as lines:
        return [it.split("=", 1)[1].split() for it in lines.read().splitlines() if it.startswith(name + "=")]


def members():
    """What systemd's names of groups stand for."""
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True, text=True).stdout
    groups, current = {}, None
    for line in text.splitlines():
        word = line.strip()
        if re.fullmatch(r"@[a-z-]+", line):
            current = groups.setdefault(line, set())
        elif current is not None and line.startswith(" ") and re.fullmatch(r"@?[a-z0-9_-]+", word):
            current.add(word)
    return groups


def expand(word, groups):
    if not word.startswith("@"):
        return {word}
    return set().union(*(expand(it, groups) for it in groups[word]))


def allowed(unit):
    """systemd adds @default, and what it needs to start the command."""
    groups = members()
    names = expand("@default", groups)
    for words in settings(unit, "SystemCallFilter"):
        takes_away = words[0].startswith("~")
        listed = set().union(*(expand(it.lstrip("~"), groups) for it in words))
        names = names - listed if takes_away else names | listed
    return names | {"execve"}


def confine(unit):
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compare),
    ]
    refused = set(os.environ.pop("SANDBOX_REFUSED", "").split())
    rules = [(it, None, SCMP_ACT_ALLOW) for it in allowed(unit) - {"socket"} - refused]
    rules += [(it, None, SCMP_ACT_EPERM) for it in refused]
    families = [it for words in settings(unit, "RestrictAddressFamilies") for it in words]
    rules += [("socket", FAMILIES[it], SCMP_ACT_ALLOW) for it in families]
    context = library.seccomp_init(SCMP_ACT_KILL_PROCESS)
    for name, family, action in rules:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # of another architecture
            continue
        compare = Compare(0, SCMP_CMP_EQ, family or 0, 0)
        result = library.seccomp_rule_add_array(context, action, number, 0 if family is None else 1, compare)
        assert result == 0, (name, result)
    assert library.seccomp_load(context) == 0
    library.seccomp_release(context)


def main():
    unit, command = sys.argv[1], sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if ["yes"] in settings(unit, "MemoryDenyWriteExecute"):
        assert libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0, "Linux 6.3 or newer"
    for words in settings(unit, "UMask"):
        os.umask(int(words[0], 8))
    confine(unit)
    os.execv(command[0], command)


main()
