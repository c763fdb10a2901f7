# SPDX-License-Identifier: ISC
"""control.py - a connection to the control socket of hyperdhtd."""

import json
import socket
import sys


class Control:
    """Reads lines and, after connect or accept, the stream from one buffer.

    The first bytes of the peer may arrive together with the reply line. A
    program that reads lines through a buffered file (socket.makefile) and goes
    on with recv() leaves them in the file's buffer and waits for ever.
    """

    def __init__(self, path):
        self.buffer = b""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.access = self.message()["params"]["access"]

    def message(self):
        """Returns the next message. Exits if it is an error."""
        while b"\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                sys.exit("the daemon closed the connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        message = json.loads(line)
        if "error" in message:
            sys.exit(message["error"]["message"])
        return message

    def call(self, method, found=None, **params):
        """Returns the result; passes notifications before it to found()."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method,
                   "params": params}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self.message()
            if message.get("id") == 1:
                return message["result"]
            if found:
                found(message["params"])

    def read(self):
        """Returns bytes of the stream, the buffered ones first; b"" at its end."""
        data, self.buffer = self.buffer, b""
        return data or self.sock.recv(65536)
