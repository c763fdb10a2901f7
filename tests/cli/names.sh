#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Names of peers: wherever a command takes a key it takes the name, also after a
# restart, and a name never changes its meaning by itself.

# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

network_starts 3
tab=$(printf '\t')
one=$(at 1 key show)
three=$(at 3 key show)

at 2 name add three "$three" || fail "name add: $?"
at 2 name add three "$three" || fail "name add: $?"
prints "^three$tab$three${tab}daemon\$" at 2 names
ends 1 'another key is named three' at 2 name add three "$one"
ends 1 'small letters' at 2 name add Three "$one"
ends 1 'small letters' at 2 name add '' "$one"
ends 2 'not valid' at 2 name add four "${one}x"
ends 1 'neither a public key nor the name' at 2 name add four five
ends 2 'neither add nor remove' at 2 name give four "$one"
ends 2 'NAME and the KEY' at 2 name add four
ends 2 'NAME alone' at 2 name remove three "$one"
ends 2 'no more than three arguments' at 2 name add a b c
ends 1 'named no key four' at 2 name remove four

# A name for a name: both mean the key that the first one has now.
at 2 name add other three || fail "name add: $?"
at 2 name remove three || fail "name remove: $?"
prints "^other$tab$three" at 2 names

# In the place of a key, and in a list of keys.
at 3 listen --once >"$work/listen" 2>"$work/listen.err" </dev/null &
children="$children $!"
listener=$!
within 20 at 2 find-peer other || fail "find-peer does not take a name"
echo hello | at 2 connect other || fail "connect: $?"
wait "$listener" || fail "listen: $?"
grep -q hello "$work/listen" || fail "not received: hello"
ends 1 'neither a public key nor the name' at 2 connect three
ends 1 'neither a public key nor the name' at 2 expose web 80 --allow three
at 2 expose web 80 --allow other >"$work/none" || fail "expose: $?"
prints '^127.0.0.1:' at 2 forward 0 other

# Without a daemon the message is about the daemon.
ends 3 'no hyperdhtd is running' "$dhtctl" --control "$work/none.sock" \
    connect other

exit $verdict
