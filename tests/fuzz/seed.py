#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""seed.py VECTORS CORPUS: writes the seed corpora of the fuzz targets.

Takes the inputs of each decoder from the golden vectors in the directory
VECTORS, and the scripts below for the targets that run one. Run it when the
vectors or the format of a script change, and commit the result.
"""

import hashlib
import json
import os
import sys

MAX_EACH = 16  # files of one target
MAX_LEN = 2000


def hex_bytes(node, want):
    """Yields the byte strings below node whose member is named in want."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in want and isinstance(value, str):
                try:
                    yield bytes.fromhex(value)
                except ValueError:
                    pass
            else:
                yield from hex_bytes(value, want)
    elif isinstance(node, list):
        for value in node:
            yield from hex_bytes(value, want)


def request_parts(datagram):
    """Returns the command and value of a user request, or None."""
    if len(datagram) < 11 or datagram[0] != 3:
        return None
    flags, at = datagram[1], 10
    at += 32 * (flags & 1) + 16 * (flags & 2)
    if flags & 4 or at >= len(datagram):
        return None
    command = datagram[at]
    at += 1 + 4 * (flags & 8)
    if not flags & 16 or at >= len(datagram) or datagram[at] > 252:
        return None
    return command, datagram[at + 1:]


def spread(seeds):
    """Returns at most MAX_EACH of the seeds, of all lengths."""
    seeds = sorted(set(s for s in seeds if len(s) <= MAX_LEN),
                   key=lambda s: (len(s), s))
    if len(seeds) > MAX_EACH:
        step = len(seeds) / MAX_EACH
        seeds = [seeds[int(i * step)] for i in range(MAX_EACH)]
    return seeds


# ---- scripts for fuzz_secretstream: header, overflow, then messages ----

def secretstream_scripts():
    def message(length, damage=0, at=0, tag=0):
        head = length.to_bytes(2, 'big') + bytes([length & 255, damage, tag])
        return head + (at.to_bytes(2, 'big') if damage else b'')

    lengths = (65535, 0, 1, 15, 16, 17, 511, 512, 513, 8191, 8192, 40000)
    return [
        bytes([1, 0]) + b''.join(message(n) for n in lengths),
        bytes([2, 1]) + message(65535) + message(600) + message(9000),
        bytes([3, 0]) + message(65535) + message(700, 1, 0)
        + message(700, 128, 300) + message(700, 3, 716),
        bytes([4, 0]) + message(65535)
        + b''.join(message(1000, tag=t) for t in (1, 2, 3, 7, 255)),
    ]


# ---- scripts for fuzz_node: see its steps ----

RAW, REQUEST, REQUEST2, ANSWER, ANSWER_ALL, TIME, WORLD, OPERATION, CANCEL, \
    LEAVE, JOIN, JOIN2 = range(12)
AUTO, PERSISTENT, BOOTSTRAP, PRIVATE, NAMES = 0, 1, 2, 0x40, 0x80


def config(role, private, names):
    """Returns the first byte: its remainder by 3 and its two high bits."""
    return next(bytes([b]) for b in range(256)
                if b % 3 == role and b & 0xc0 == private | names)


def resolve(host):
    return bytes([WORLD, 0x80, host])  # 0x80 % 6 == 2


def answers(closer=(), rounds=3):
    """Answers all requests with id and token, the latest with closer nodes."""
    return bytes([ANSWER, 0x47, 0, len(closer)]) + bytes(closer) + bytes(
        [ANSWER_ALL, 3, rounds])


def later(seconds):
    return bytes([TIME, 100, seconds * 10]) if seconds < 26 else bytes(
        [TIME, 255, seconds // 5])


# What each kind of operation reads: a target, then what else it needs.
ARGUMENTS = [(3, 8), (3,), (3,), (3,), (3, 1) + (65,) * 8, (3,),
             (3, 2, 66, 66, 1), (3, 0), (4,), (4,)]


def operation(kind):
    return bytes([OPERATION, kind]) + bytes(ARGUMENTS[kind])


def request(flags, host, command, target, value=b'\0'):
    """Flags: 1 internal, 4 with 0x10 good token, 8 id, 0x20 no target."""
    return bytes([REQUEST, flags, host, command, target]) + value


def scripts():
    yield config(BOOTSTRAP, 0, 0)
    joined = answers(range(1, 31)) + (later(1) + answers([], 7)) * 4
    for role in (AUTO, BOOTSTRAP):
        start = config(role, 0, NAMES) + resolve(1) + joined
        yield start + later(600) * 3
        yield start + b''.join(bytes([OPERATION, 0, 3, h]) for h in range(40))
        for kind in range(10):
            yield start + operation(kind) + \
                answers([5, 6], 0) + bytes([CANCEL, 0])
            yield start + operation(kind) + \
                bytes([ANSWER, 0x83, 0, 0]) + bytes([ANSWER, 0xc3, 0, 0])
        for kind in range(10):
            yield start + operation(kind) + \
                (answers([4, 5, 6]) + later(1)) * 4 + later(20)
    node = config(BOOTSTRAP, 0, 0)
    ids = b''.join(request(0x4b, h, 0, 2) for h in range(1, 30))
    yield node + ids + answers([], 7) + later(60) + ids
    for token in (0, 0x14):
        for command in range(12):
            one = request(token, 1, command, 2 + command % 2,
                          bytes([1, 0x30, 96, 5, 6, 7, 8]))
            yield node + one + one + later(2) + one
    yield node + b''.join(request(1, 60, 2, t) for t in range(200))
    yield node + b''.join(request(1, h, 4, 0, b'\4\20\0\0\0')
                          for h in range(30)) + later(20)
    flood = b''.join(request(0x14, h, 8, 0, bytes([40]) + bytes([h]) * 40)
                     for h in range(40))
    yield node + flood + later(60)
    for value in (b'\x20\xc8\x3c', b'\x11\xc8\x3c'):
        yield node + b''.join(request(0, h, c, 2, value) for h in range(33, 59)
                              for c in (0, 1, 0, 1))
    yield node + operation(8) + later(5) + bytes([LEAVE, 255]) + later(3)
    # A listener of each kind, a dial, and every step that uses them.
    for kind in (0, 1, 2, 3):
        start = config(AUTO, 0, NAMES) + resolve(1) + joined
        shake = request(0, 1, 0, 3, b'\0\x75')
        yield start + bytes([JOIN, kind]) + (answers([], 7) + later(1)) * 4 + \
            shake + bytes([JOIN, 12, kind, 0]) + later(5) + \
            bytes([JOIN, 4]) + answers([], 3) + bytes([LEAVE, 255]) + later(3)
        yield start + bytes([JOIN, 8 + kind]) + \
            (answers([5, 6]) + later(1)) * 3 + \
            bytes([JOIN, 12, 1 + kind, 0]) + bytes([WORLD, 1]) + later(30)
    yield config(AUTO, PRIVATE, 0) + ids + answers([], 7) + \
        bytes([WORLD, 1]) * 4 + bytes([WORLD, 0, 0]) * 4 + later(60)


# ---- scripts for fuzz_udx_pair: see its steps ----

P_TIME, P_WRITE, P_READ, P_END, P_LINK, P_MTU, P_MOVE, P_MESSAGE, P_BLOCK, \
    P_UNKNOWN, P_SLEEP, P_FREE, P_KEEPALIVE, P_SOCKET, P_PROBE = range(15)
P_OTHER = 0x80  # the other side


def pair_scripts():
    """Operands from 128 on are powers of two: 128 + n means 2^n."""
    def wait(ms):
        return bytes([P_TIME, ms])

    def write(side, log):
        return bytes([P_WRITE | side, 128 + log])

    def read(side, log=19):
        return bytes([P_READ | side, 128 + log])

    def link(delay, jitter=0, loss=0, double=0):
        return bytes([P_LINK, delay, jitter, loss, double])

    def both(step):
        return bytes([step, step | P_OTHER])

    carry = (write(0, 16) + wait(20) + read(P_OTHER)) * 8
    talk = (write(0, 6) + write(P_OTHER, 7) + wait(5) + read(P_OTHER) +
            read(0)) * 8
    ends = both(P_END)
    for limits in (0, 1):
        start = bytes([limits, 7, 0])
        yield start + carry + ends
        yield start + talk + bytes([P_END]) + wait(60) + \
            write(P_OTHER, 12) + wait(60) + read(0) + bytes([P_END | P_OTHER])
        yield start + link(20, 100, 12, 20) + carry * 3 + ends + wait(100)
        yield start + link(5) + write(0, 19) * 4 + wait(100) * 9 + \
            read(P_OTHER) * 8 + wait(100) * 4 + ends
        yield start + carry + bytes([P_MTU, 40]) + carry + \
            bytes([P_MTU, 150]) + carry
        for socks in (1, 5, 9):
            yield start + link(10) + carry + bytes([P_MOVE, socks]) + carry + \
                bytes([P_MOVE | P_OTHER, socks]) + carry + wait(90) + \
                bytes([P_MOVE, 0]) + carry + ends
        yield start + link(5, 0, 250) + write(0, 12) + wait(100) * 40 + \
            bytes([P_TIME, 128 + 13])
        yield start + carry + bytes([P_BLOCK, 3]) + carry + \
            bytes([P_BLOCK, 0]) + carry + bytes([P_SLEEP, 60]) + carry
        yield start + bytes([P_MESSAGE, 100, P_MESSAGE | P_OTHER, 138]) * 9 + \
            wait(9) + bytes([P_MESSAGE, 0, P_MESSAGE | P_OTHER, 0])
        yield start + bytes([P_KEEPALIVE, 1, P_TIME, 128 + 13]) + talk
        yield start + carry + write(0, 18) + wait(1) + bytes([P_FREE]) + \
            wait(100)
        yield start + carry + bytes([P_SOCKET, 0]) + wait(9) + carry
        for kind in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x11):
            yield start + write(0, 18) + wait(3) + b''.join(
                bytes([P_UNKNOWN | side, 1, 16, kind, 0, 131, 64 + d, 64]) +
                bytes(8) + bytes([9]) * 8
                for d in (0, 1, 5) for side in (0, P_OTHER)) + carry + \
                bytes([P_PROBE])


# ---- scripts for fuzz_frame and fuzz_mux: see their steps ----


def frame_scripts():
    def op(kind, arg, high=0):
        return bytes([kind | high << 3, arg & 255, arg >> 8])
    write, carry, rest, flip, raw, limit, later, message = range(8)
    for size in (0, 1, 1000, 16384, 65535):
        for piece in (1, 58, 59, 700):
            yield op(write, size) + op(carry, piece) * 8 + op(rest, 0, 16)
    yield op(limit, 64) + op(write, 65535, 12) + op(carry, 4000) * 40
    yield op(limit, 900, 16) + op(write, 800) + op(write, 900) + op(rest, 0)
    yield op(write, 9) + op(flip, 70) + op(rest, 0)
    yield op(raw, 3) + b'\x38\0\0' + op(rest, 0)
    yield op(later, 5000, 30) * 3 + op(rest, 0) + op(rest, 0, 16)
    yield op(message, 0) * 5 + op(message, 9, 1)


def mux_scripts(messages):
    near, far = 0, 8
    opens, close, reject, send, large, carry, rest, lie = range(8)
    for name in range(3):
        both = bytes([opens | near, name, opens | far, name])
        yield b'\0' + both + bytes([rest | far, 0, rest | near, 0])
        yield b'\0' + bytes([opens, name] + [send, 1] * 10 + [rest | far, 0]
                            ) + bytes([opens | far, name, rest | far, 0])
        yield b'\0' + both + bytes([close, 1, opens, name, rest | far, 0])
    yield b'\0' + bytes([opens, 0] + [large | 0xf0, 1, carry | far, 9] * 9)
    yield b'\0' + bytes([opens, 0, close, 1, rest | far, 0, reject | far, 0])
    for m in messages:
        if 0 < len(m) < 256:
            yield b'\1' + bytes([opens | far, 0, lie | far, len(m)]) + m


# ---- scripts for fuzz_relay_server: three bytes a step, and raw bytes ----

def relay_server_scripts():
    JOIN, LEAVE, PAIR, UNPAIR, RAW, WAIT, READ, REFUSE, END = range(9)
    both = bytes([JOIN, 0, 4, JOIN, 1, 1, PAIR, 0, 1, PAIR, 1, 0, 0])
    greedy = bytes([JOIN, 0, 0]) + b''.join(
        bytes([PAIR, 0, 2 * t + 1]) for t in range(6))
    return [
        both,
        both + bytes([READ, 0, 0, READ, 1, 0, UNPAIR, 0, 1]),
        both + bytes([LEAVE, 0, 0, WAIT, 0, 255]),
        both + bytes([END, 0, 0, REFUSE, 0, 9, READ, 0, 0]),
        both + bytes([REFUSE, 1, 9, READ, 1, 0, PAIR, 1, 2]),
        both[:-1] + bytes([7]),  # the link cannot be made
        greedy,
        greedy + bytes([WAIT, 0, 80, PAIR, 0, 1]),
        bytes([JOIN, 0, 0, RAW, 0, 6]) + bytes([0, 1, 1, 1, 0, 0]),
        bytes([JOIN, 0, 0, RAW, 0, 3, 1, 0, 5, RAW, 0, 0]),
        b''.join(bytes([JOIN, i, i, PAIR, i, i]) for i in range(8))
        + bytes([WAIT, 0, 90, READ, 3, 0]),
    ]


# ---- scripts for fuzz_dialer: see its steps ----

def dial(relays=(0, 1, 2)):
    return bytes([0, 8 | len(relays)]) + bytes(relays)


def walk(rounds, how=7):
    """Answers queries without a record of the key, or with one (16)."""
    return (bytes([5, 2]) + bytes([1, 0, how, 8, 0]) * 10) * rounds


def reply(flags=24, firewall=1, listed=(8,), relays=(), seen=8, spoil=4,
              back=0):
    """Returns an answer of the server; spoil 1 to 3 damages it, 4 does not."""
    more = {1: b'\7', 2: b'\1', 3: b'\50'}.get(spoil, b'')
    return bytes([1, back, 0, 8, 8 | spoil, flags, 0, firewall,
                  len(listed), *listed, 0, len(relays) // 2, *relays]) + \
        more + bytes([seen])


def packet_from(server=0, sock=1, host=8, more=0):
    return bytes([3, server, sock | host << 2 & 0x3c | more])


def dialer_scripts():
    used = bytes([6, 0, 6, 6, 0, 3, 6, 0, 1, 5, 4])
    for again in (0, 1):
        for spoil in range(5):
            yield dial() + reply(spoil=spoil) * 2 + packet_from() + \
                used * 2 + packet_from(more=0xc0) + bytes([5, 13]) + \
                (dial(()) + reply() + packet_from(1)) * again
        for firewall in range(4):
            yield dial() + reply(27, firewall, (8, 10, 3), (1, 8)) + \
                bytes([5, 6]) * 5 + packet_from(host=3 + again * 5) + used
        yield dial(()) + walk(3) + bytes([5, 12]) + walk(3, 23) + \
            reply() + bytes([5, 13]) * 4
        yield packet_from() + dial() + packet_from() + reply() + \
            bytes([6, 0, 0])
    for moment in range(12):
        yield dial(range(7)) + walk(1) + bytes([5, moment, 6, 0, 0]) + \
            reply() + packet_from()
    for error in range(5):
        yield dial() + bytes([1, 0, 0, 8, 12, 152, error, 0, 1, 0, 0, 0, 8])
    yield dial() * 20 + bytes([7, 254]) + reply() * 4
    for trouble in (0, 1, 2, 3, 11, 30, 60):
        yield dial() + bytes([7, trouble]) + reply() + \
            bytes([7, trouble]) + packet_from() + used + bytes([7, trouble])


# ---- scripts for fuzz_listener: see its steps ----

SHAKE, SHAKE2, SHAKE3, PUNCH, PACKET, ANSWERS, LISTEN, UNLISTEN, DECIDE, \
    CONN, PASS, PASS2, RENEW, PROBE = range(14)
DIRECT, RELAYED, SECOND = 0, 0x80, 0xc0
OPENED, PRIVATE_NET, POOR, QUIET = 1, 2, 4, 8


def shake(client, mode=RELAYED, host=1, relay=2, tid=3):
    """Returns a valid handshake of this client."""
    named = {DIRECT: b'', RELAYED: bytes([host]),
             SECOND: bytes([host, relay])}[mode]
    return bytes([SHAKE, client, mode]) + named + bytes(
        [tid, host if mode == DIRECT else relay, 0])


def packet(conn, host=1, body=b'\0' * 20):
    return bytes([PACKET, conn, host, len(body), 1, 0, 0]) + body + b'\0'


def listener_scripts():
    both = bytes([LISTEN, 0, LISTEN, 1])
    asking = bytes([LISTEN, 2, LISTEN, 3])
    reached = bytes([ANSWERS, PASS, 5]) * 6
    for how in (QUIET, QUIET | OPENED, QUIET | PRIVATE_NET, QUIET | POOR, 0):
        start = bytes([how]) + both + reached
        for mode in (DIRECT, RELAYED, SECOND):
            one = b''.join(shake(c, mode, 1 + c) for c in range(6))
            yield start + one + one + packet(0) + bytes([PASS, 200]) + one
        yield bytes([how]) + asking + reached + b''.join(
            shake(c) + shake(c, RELAYED, 1, 4) for c in range(4)) + \
            bytes([DECIDE, 0, 1, DECIDE, 0, 0]) + packet(0) + \
            bytes([CONN, 0, 0, CONN, 1, 1]) + bytes([UNLISTEN, 0]) + reached
        yield start + shake(0) + bytes([SHAKE, 0, 1, 40, 3, 1, 0]) + \
            bytes([PUNCH, 1, 1, 1, 1, 0]) + bytes([RENEW]) + reached + \
            b''.join(bytes([PROBE, 1, sock, 1]) for sock in range(6)) + reached
        yield start + b''.join(shake(c % 4, RELAYED, 8 * c, 3, c)
                               for c in range(24)) + bytes([PASS, 178])


# ---- scripts for fuzz_stream_peer: see its steps ----

S_TEXT, S_FRAME, S_MESSAGE, S_PACKET, S_ROUND, S_PROBE, S_SHAKE, S_CONN, \
    S_DISTURB, S_PASS, _, S_MORE = range(12)
VICTIM = 60


def stream_scripts():
    """All kinds of stream, with all steps between bytes of both sides."""
    def wait(log):
        return bytes([S_PASS, log])

    def message(how, host=0, *more):
        return bytes([S_MESSAGE, how, host, *more])

    talk = bytes([S_TEXT, 9, 0, S_CONN, 4, 9]) + wait(6)
    for how in range(16):
        start = bytes([how]) + talk
        # It moves: HERE, then the right answer; then wrong ones.
        yield start + message(0, 41) + message(0x82, 41) + talk + \
            message(0, VICTIM) * 3 + message(2, VICTIM) + wait(12) + talk
        yield start + message(0x12, 41, 3, 9) + message(8, 0, 0) + \
            message(0x61, 42) + message(3) + talk
        yield start + b''.join(
            bytes([S_ROUND, flags, 2, n, *([1, 34] if flags & 8 else []),
                   4, 0, S_PROBE, 34, 0]) + wait(7)
            for n, flags in enumerate((2, 10, 26, 58, 122, 6, 65))) + talk
        yield start + b''.join(bytes([S_SHAKE, h, 3]) + wait(8)
                               for h in (0, 1, 8, 9, 10, 2)) + talk
        yield start + bytes([S_DISTURB, 0, S_DISTURB, 12]) + wait(13) * 2 + \
            bytes([S_DISTURB, 4]) + talk + bytes([S_DISTURB, 3]) + wait(10)
        yield start + bytes([S_CONN, 10, S_TEXT, 255, 0, S_TEXT, 255, 0]) + \
            wait(11) + bytes([S_CONN, 2, S_MORE, 0, S_CONN, 1]) + wait(9)
    for how in (0, 1, 4, 5):
        start = bytes([how]) + talk
        for tag in range(4):
            yield start + bytes([S_FRAME, tag, 5]) + b'hello' + talk
        for spoil in (16, 17, 32, 48):
            yield start + bytes([S_FRAME, spoil, 1, 7, 2, 255]) + talk
        for kind in (1, 2, 4, 8, 16, 32, 9, 17, 255):
            yield start + b''.join(
                bytes([S_PACKET, h, more, host, kind, *([3] * (h & 1)),
                       seq, ack, 9]) + bytes((more >> 4) * 4)
                for h, more, host, seq, ack in (
                    (0, 0x20, 0, 1, 0), (0, 0x20, VICTIM, 1, 0),
                    (1, 0x28, 0, 0, 1), (0x2e, 0, 0, 1, 255),
                    (0, 0x40, 35, 255, 255))) + talk
        for spoil in (0x01, 0x11, 0x02, 0x16, 0x24):
            yield start + bytes([S_TEXT, 60, spoil]) + wait(9) + talk
    for how in (8, 9, 14, 15):
        start = bytes([how])
        opens = bytes([S_MORE, 0x20, 1]) + b'control1'
        yield start + opens + bytes([S_MORE, 0x0a, 1]) + b'hello123' + \
            bytes([S_MORE, 1, 1]) + bytes(8) + wait(8)
        yield start + (opens + bytes([S_MORE, 0x0b, 1]) + bytes(8)) * 12
        for raw in (b'\0\1\1\3abc\0', b'\0\3\1', b'\0\2\1', b'\0\0\1\2ab',
                    b'\1\0hello', b'\xff' * 9):
            yield start + opens + bytes([S_MORE, 4, len(raw)]) + \
                raw.ljust(64, b'\0') + wait(8)


# ---- scripts for fuzz_methods: see its steps ----

METHODS = 40  # at least as many as api/methods.def has


def method_scripts():
    """Every method, with parameters of four kinds."""
    wait = bytes([4, 40])
    for kind in 1, 10, 13, 15:
        for value in 0, 1, 2, 7:
            yield b''.join(
                bytes([0, m % 3, m]) + bytes([kind, value]) * 7 + wait
                for m in range(METHODS))


def main(vectors, corpus):
    rpc = json.load(open(os.path.join(vectors, 'rpc.json')))
    records = json.load(open(os.path.join(vectors, 'records.json')))
    relay = json.load(open(os.path.join(vectors, 'blind-relay.json')))
    protomux = list(hex_bytes([relay['protomux'], relay['relay_session']],
                          ('hex',)))
    for row in relay['malformed']:
        protomux += [bytes.fromhex(h) for h in row['input_hex']]
    # Of a channel's message its type and its body.
    relayed = [m[1:] for m in protomux if m[:1] == b'\1' and len(m) > 2]
    relayed += [bytes([b['message'] == 'unpair']) + bytes.fromhex(b['body_hex'])
                for b in relay['bodies']]
    relayed += [b'\x02\x01\x3c', b'\x02\x02\xfd\x10\x0e', b'\x02\x01']
    datagrams = list(hex_bytes([rpc, records], ('hex',)))
    requests = [d for d in datagrams if d[:1] == b'\3' and len(d) > 10]
    parts = [p for p in map(request_parts, requests) if p]
    values = {c: [v for n, v in parts if n == c] for c in range(11)}
    wire = ('hex', 'put_request', 'get_response')
    bad = list(hex_bytes(rpc['malformed_requests'], ('hex',)))
    broken = list(hex_bytes(rpc['malformed_replies'], ('hex',)))
    envelopes = records['envelopes']
    handshakes = json.load(open(os.path.join(vectors, 'handshake.json')))
    streams = json.load(open(os.path.join(vectors, 'udx.json')))
    holepunches = json.load(open(os.path.join(vectors, 'holepunch.json')))
    targets = {
        'fuzz_rpc_request': requests[::3] + bad,
        'fuzz_rpc_reply': [d for d in datagrams if d[:1] == b'\x13'] + broken,
        'fuzz_peer': hex_bytes(records['peer'], wire),
        'fuzz_announce':
            list(hex_bytes(records['announce'], wire)) + values[4],
        'fuzz_lookup': hex_bytes(records['lookup_reply'], wire),
        'fuzz_mutable': list(hex_bytes(records['mutable'], wire)) + values[6],
        'fuzz_handshake': [bytes.fromhex(e['hex']) for e in envelopes
                           if 'handshake' in e['name']] + values[0],
        'fuzz_holepunch': [bytes.fromhex(e['hex']) for e in envelopes
                           if 'holepunch' in e['name']] + values[1],
        'fuzz_address': [e['input'].encode() for e in rpc['bootstrap_parse']
                         if isinstance(e['input'], str)] + [
                             b'[2001:db8::1]:49737', b'192.0.2.1', b'49737'],
        'fuzz_line': [
            b'\x40{"jsonrpc":"2.0","id":1,"method":"status"}\n',
            b'\x05{"jsonrpc":"2.0","id":"a","method":"lookup",'
            b'"params":{"topic":"chat"}}\n{"jsonrpc":"2.0","id":2,'
            b'"method":"ping","params":{"address":"192.0.2.1:49737"}}\n',
            b'\xff{"jsonrpc":"2.0","id":3,"method":"put",'
            b'"params":{"value_b64":"aGVsbG8="}}\n[]\n{}\nnull\n{"id":\n',
        ],
        'fuzz_config': [
            b'role = bootstrap\npublic-address = "192.0.2.1:49737"\n',
            b'# a comment\nport = 49737\nhost = 127.0.0.1\n'
            b'bootstrap = {"198.51.100.1:49737", "one.example:1"}\n',
            b'log-level = debug\nrecords = 1000\nrecordz = 1\n',
            b'\x81public', b'\x85auto', b'\x88persistent',
        ],
        'fuzz_holepunch_payload': hex_bytes(
            [v for v in holepunches['vectors']
             if v['kind'].startswith('holepunch_payload')], ('hex',)),
        'fuzz_punch': [
            # Rounds as they should be, after four answered PINGs each.
            bytes([native] + [1, k, 0] * 4 + [2, 0, 0, flags, 2, n, 1, 9]
                  + [1, 0, 7, flags, 2, n, 1, 9, 0, 4] * 2
                  + [2, 1, 0, flags, 2, 1, 1, 9, 0, 200, 3, 1, 4, 1])
            for native in (0, 1) for k in (0, 3) for n in (0, 1)
            for flags in (0x60, 0x70, 0xf0)],
        'fuzz_frame': frame_scripts(),
        'fuzz_methods': method_scripts(),
        'fuzz_mux': mux_scripts(protomux),
        'fuzz_relay_message': relayed,
        'fuzz_relay_server': relay_server_scripts(),
        'fuzz_dialer': dialer_scripts(),
        'fuzz_listener': listener_scripts(),
        'fuzz_node': scripts(),
        'fuzz_noise': hex_bytes(handshakes, ('message1', 'message2')),
        'fuzz_secretstream': secretstream_scripts(),
        'fuzz_payload': hex_bytes([v for v in handshakes['vectors']
                               if v['kind'].startswith('noise_payload')],
                              ('hex',)),
        'fuzz_stream_peer': stream_scripts(),
        'fuzz_udx_packet': hex_bytes(streams, ('hex',)),
        'fuzz_udx_pair': pair_scripts(),
    }
    scripted = ('fuzz_dialer', 'fuzz_frame', 'fuzz_listener', 'fuzz_methods',
                'fuzz_mux', 'fuzz_node', 'fuzz_relay_server', 'fuzz_stream_peer',
                'fuzz_udx_pair')
    for name, seeds in targets.items():
        where = os.path.join(corpus, name)
        os.makedirs(where, exist_ok=True)
        for old in os.listdir(where):
            if not old.startswith('found-'):  # keeps what the fuzzer found
                os.remove(os.path.join(where, old))
        seeds = spread(seeds) if name not in scripted else sorted(
            set(s[:MAX_LEN] for s in seeds))
        for seed in seeds:
            path = hashlib.sha256(seed).hexdigest()[:12]
            with open(os.path.join(where, path), 'wb') as f:
                f.write(seed)
        print(name, len(seeds))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
