#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""terminal.py FILE ANSWER COMMAND...: runs a command on a terminal of its own.

The standard files stay what they are. Writes what the terminal shows to FILE,
and types ANSWER after each question, which ends with "] ": nothing if it is
empty, and no sooner than PATH exists if it is "ANSWER@PATH". Passes SIGTERM on,
and exits with the code of the command.
"""

import fcntl
import os
import pty
import select
import signal
import sys
import termios

shown, command = sys.argv[1], sys.argv[3:]
answer, _, path = sys.argv[2].partition('@')
master, slave = pty.openpty()
child = os.fork()
if child == 0:
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.close(slave)
    os.execvp(command[0], command)
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
ended, is_asked = 0, False
with open(shown, 'wb', buffering=0) as log:
    while not ended:
        if select.select([master], [], [], 0.1)[0]:
            data = os.read(master, 4096)
            log.write(data)
            is_asked = data.endswith(b'] ')
        if is_asked and answer and (not path or os.path.exists(path)):
            os.write(master, answer.encode() + b'\n')
            is_asked = False
        ended, status = os.waitpid(child, os.WNOHANG)
sys.exit(os.waitstatus_to_exitcode(status) & 0xff)
