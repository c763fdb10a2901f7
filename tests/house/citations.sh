#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

citations() {
	"$top/scripts/citations.sh" "$planted"
}

plant doc/protocol/01-rpc.md <<'X'
# 01 RPC
## 1. Sockets
### 1.1 Demultiplexing
See §1, 06 §A.1, and RFC 9000 §8.2.
## 2. Ticks
1. First.
2. Second.
```
## 7. Not a heading
```
X
plant doc/protocol/06-stream.md <<'X'
# 06 Stream
## Part A. Frames
### A.1 Header
X
plant doc/protocol/07-pitfalls.md <<'X'
# 07 Pitfalls
- **P4 [H]** Echo. See (P19).
- **P19 [M]** No reflector.
X
plant src/punch/echo.c <<'X'
/* Echoes, protocol 01 §1.1 and §2.2, protocol
 * 06 §A (pitfalls P4,
 * P19). RFC 8305 §8; protocol 01 §1 to §2. */
X
plant tests/daemon/echo.sh <<'X'
# Pitfall P4: an echo. Protocol 06.
X
plant src/net/queue.c <<'X'
static int send_some(void);
X
plant tests/platform/udp.c <<'X'
/*
 * Relied on by: queue.c (send_some,
 * send_some).
 */
X
passes citations

plant tests/platform/udp.c <<'X'
/* Relied on by: queue.c (send_some, send_all), gone.c (send_some). */
X
plant src/punch/lost.c <<'X'
/* Protocol 01 §1.2, and protocol 01 §1,
 * §7; */
int n; /* protocol 02 */
int m; /* pitfalls P4 to P20 */
X
plant src/punch/form.c <<'X'
/* spec 01 §1 */
/* 01 §1 */
/* As in §1.1. */
/* It echoes (P4). */
/* 07 P4 */
X
plant doc/protocol/01-rpc.md <<'X'
# 01 RPC
## 1. Sockets
### 1.1 Demultiplexing
See §9 and 06 §B.
## 2. Ticks
1. First.
2. Second.
X
finds citations \
    'src/punch/lost.c:1: protocol 01 §1.2 is nowhere' \
    'src/punch/lost.c:1: protocol 01 §7 is nowhere' \
    'src/punch/lost.c:3: protocol 02 is nowhere' \
    'src/punch/lost.c:4: pitfall P20 is nowhere' \
    'src/punch/form.c:1: "spec 01": write "protocol 0N"' \
    'src/punch/form.c:2: "01 §1" does not begin with its word' \
    'src/punch/form.c:3: "§1": a section without its page' \
    'src/punch/form.c:4: "(P4)" does not begin with its word' \
    'src/punch/form.c:5: "07 P4" does not begin with its word' \
    'doc/protocol/01-rpc.md:4: protocol 01 §9 is nowhere' \
    'doc/protocol/01-rpc.md:4: protocol 06 §B is nowhere' \
    'tests/platform/udp.c: queue.c has no send_all' \
    'tests/platform/udp.c: src has no gone.c'

"$top/scripts/citations.sh" || verdict=1
exit "$verdict"
