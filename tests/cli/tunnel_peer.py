#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The programs at both ends of a tunnel.

tunnel_peer.py serve [PATH]   greets each client, echoes what it sends, and says
                              "end" after the client has ended; prints its
                              address; without PATH at a port of 127.0.0.1
tunnel_peer.py ask ADDRESS [SECONDS]
                              sends standard input and ends, prints what comes
                              back; exit 3: reset, 4: refused, 5: too slow
"""
import os
import socket
import sys
import threading


def copy(source, write):
    while True:
        chunk = source(65536)
        if not chunk:
            return
        write(chunk)


def serve_one(sock):
    with sock:
        try:
            sock.sendall(b"hello\n")
            copy(sock.recv, sock.sendall)
            sock.sendall(b"end\n")
        except OSError:
            pass


def serve(path):
    unix = path is not None
    server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    server.bind(path if unix else ("127.0.0.1", 0))
    server.listen(128)
    print(path if unix else "127.0.0.1:%d" % server.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve_one, args=(server.accept()[0],), daemon=True).start()


def connect(address, seconds):
    unix = address.startswith("/")
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    sock.settimeout(seconds)
    host, _, port = address.rpartition(":")
    sock.connect(address if unix else (host, int(port)))
    return sock


def send_input(sock, failures):
    try:
        copy(sys.stdin.buffer.read1, sock.sendall)
        sock.shutdown(socket.SHUT_WR)
    except OSError as failure:  # the kernel reports a reset once
        failures.append(failure)


def ask(address, seconds):
    failures = []
    sock = connect(address, seconds)
    threading.Thread(target=send_input, args=(sock, failures), daemon=True).start()
    copy(sock.recv, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    if failures:
        raise failures[0]


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2] if len(sys.argv) > 2 else None)
    try:
        ask(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 30)
    except ConnectionResetError:
        os._exit(3)
    except ConnectionRefusedError:
        os._exit(4)
    except TimeoutError:
        os._exit(5)


main()
