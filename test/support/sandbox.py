#!/usr/bin/env python3
"""Runs a command as a systemd unit with a sandbox would, where systemd is not there to do it: the system calls of a file, and no others
(EPERM), sockets of the given address families, no new privileges.

sandbox.py SYSCALLS-FILE AF,AF,... COMMAND...
sandbox.py --without AF COMMAND...              all but sockets of one address family (EAFNOSUPPORT), as where the kernel lacks it"""

import ctypes
import errno
import os
import socket
import sys

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EQUAL = 4


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
if sys.argv[1] == "--without":
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    number = library.seccomp_syscall_resolve_name(b"socket")
    condition = Compare(0, EQUAL, int(getattr(socket, sys.argv[2])), 0)
    refuse = ctypes.c_uint32(ERRNO | errno.EAFNOSUPPORT)
    if library.seccomp_rule_add_array(context, refuse, number, 1, ctypes.byref(condition)):
        sys.exit("sandbox: cannot restrict socket()")
    if library.seccomp_load(context):
        sys.exit("sandbox: the filter cannot be loaded")
    os.execvp(sys.argv[3], sys.argv[3:])
names = open(sys.argv[1]).read().split()
families = [getattr(socket, name) for name in sys.argv[2].split(",")]
# seccomp_init also arranges for no_new_privs when the filter is loaded.
context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ERRNO | errno.EPERM)))
known = 0
for name in names:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        continue  # of another architecture, or newer than the library
    known += 1
    if name == "socket":
        for family in families:
            condition = Compare(0, EQUAL, int(family), 0)
            if library.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 1, ctypes.byref(condition)):
                sys.exit("sandbox: cannot restrict socket()")
    elif library.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 0, None):
        sys.exit(f"sandbox: cannot allow {name}")
if known < 100:
    sys.exit(f"sandbox: only {known} system calls are known")
if library.seccomp_load(context):
    sys.exit("sandbox: the filter cannot be loaded")
os.execvp(sys.argv[3], sys.argv[3:])
