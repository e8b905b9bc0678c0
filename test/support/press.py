#!/usr/bin/env python3
"""Runs a command on a terminal of its own. Each line of standard input is typed there, "^C" as Control-C. What it prints comes out; the
last line is its exit code.

press.py COMMAND..."""

import os
import pty
import select
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
sources = [terminal, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        typed = os.read(0, 4096)
        if not typed:
            sources.remove(0)
        for line in typed.decode().splitlines():
            os.write(terminal, b"\x03" if line == "^C" else line.encode() + b"\n")
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break  # nobody has the other side any more
        if not data:
            break
        os.write(1, data)
_, status = os.waitpid(pid, 0)
print(f"exit code {os.waitstatus_to_exitcode(status)}")
