#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck source=tests/house/lib.sh
. "$(dirname "$0")/lib.sh"

modules() {
	"$top/scripts/modules.sh" "$planted"
}

plant src/base/wire.h <<'X'
/* wire.h - cursors. Uses: base. */
#include <stdint.h>
X
plant src/dht/dht.h <<'X'
/*
 * dht.h - the network. Uses: base,
 * crypto.
 */
#include "base/wire.h"
#include "crypto/keys.h"
X
plant src/crypto/keys.h <<'X'
/* keys.h - keys. Uses: base, libsodium. */
#include <sodium.h>
X
plant src/log/log.h <<'X'
/* log.h - for the operator. Uses: nothing. */
X
plant src/store/state.h <<'X'
/* state.h - files. Uses: base, log. */
#include <unistd.h>
#include "log/log.h"
X
plant src/daemon/daemon.h <<'X'
/* daemon.h - all of it. Uses: api, base, dht, log, store. */
X
plant src/daemon/main.c <<'X'
#include <event2/event.h>
#include "store/state.h"
#include "config.h"
#include "dht/dht.h"
X
plant src/dhtctl/main.c <<'X'
#include <unistd.h>
#include "base/wire.h"
X
passes modules

plant src/base/upward.c <<'X'
#include "base/wire.h"
#include "dht/dht.h"
X
plant src/crypto/clock.c <<'X'
#include <time.h>
#include "wire.h"
X
plant src/dht/loop.c <<'X'
# include <event2/event.h>
#include "records/records.h"
X
plant src/records/records.h <<'X'
/* records.h - says of nothing what it needs. */
X
plant src/node/node.h <<'X'
/* node.h - all of it. Uses: base, daemon. */
X
plant src/daemon/other.c <<'X'
#include "dhtctl/table.h"
X
plant src/store/upward.c <<'X'
#include "daemon/daemon.h"
X
plant src/log/other.c <<'X'
#include "base/wire.h"
X
plant src/dhtctl/other.c <<'X'
#include "dht/dht.h"
X
finds modules \
    'src/base/upward.c:2: base may not include dht/dht.h' \
    'src/crypto/clock.c:1: crypto may not include <time.h>' \
    'src/crypto/clock.c:2: "wire.h" is not of the form' \
    'src/dht/loop.c:1: dht may not include <event2/event.h>' \
    'src/dht/loop.c:2: dht may not include records/records.h' \
    'src/records/records.h: no "Uses:" line' \
    'src/node/node.h: node may not use daemon' \
    'src/store/upward.c:1: store may not include daemon/daemon.h' \
    'src/log/other.c:1: log may not include base/wire.h' \
    'src/daemon/other.c:1: daemon may not include dhtctl/table.h' \
    'src/dhtctl/other.c:1: dhtctl may not include dht/dht.h'

"$top/scripts/modules.sh" || verdict=1
exit "$verdict"
