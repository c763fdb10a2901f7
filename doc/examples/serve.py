#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""serve.py SOCKET: prints a key, and serves each peer that connects to it.

Greets the peer and sends back in upper case what the peer sends.
"""

import socket
import sys
import threading

from control import Control


def serve(peer):
    try:
        peer.sock.sendall(b"hello\n")
        while data := peer.read():
            peer.sock.sendall(data.upper())
        peer.sock.shutdown(socket.SHUT_WR)
    except ConnectionError:
        pass  # The peer was lost, or closed before it had read all.
    peer.sock.close()


# The listener ends with this connection.
control = Control(sys.argv[1])
listener = control.call("listen")
print(listener["public_key"], flush=True)
while True:
    # accept makes the connection a stream, so each peer needs its own.
    peer = Control(sys.argv[1])
    peer.call("accept", listener=listener["listener"])
    threading.Thread(target=serve, args=[peer], daemon=True).start()
