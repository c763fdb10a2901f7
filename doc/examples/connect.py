#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""connect.py SOCKET KEY: joins standard input and output with a peer."""

import os
import socket
import sys
import threading

from control import Control


def send(sock):
    """Sends standard input, then ends this side; the other may go on."""
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


control = Control(sys.argv[1])
control.call("connect", public_key=sys.argv[2])
# Both directions at once: neither may wait for the other.
sender = threading.Thread(target=send, args=[control.sock])
sender.start()
while data := control.read():
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
sender.join()
