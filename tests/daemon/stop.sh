#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2317 # functions are called by name
#
# The daemon can be stopped in any state. At its end it asserts that no event is
# left in its loop, so a module that was not freed, or freed in part, aborts it.
#
# Each state is stopped by one TERM, which leaves the network in order, and by
# two, which end the daemon with everything still open.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dhtctl=$PWD/dhtctl
mkfifo "$work/in"
exec 9<>"$work/in" # standard input that never ends

# member: starts a node of the hub's network under a new name, $node.
member() {
	count=$((count + 1))
	node=node$count
	start "$node" --port=auto --bootstrap="$host:4001"
	within 10 logs "$node" "public address" || fail "does not join" "$node"
}

# begin COMMAND...: dhtctl in the background, at $node; its id is in $client.
begin() {
	"$dhtctl" --control "$work/$node.sock" "$@" <&9 >"$work/$node.out" \
	    2>&1 &
	client=$!
	children="$children $client"
}

# shows COMMAND TEXT: true if what dhtctl prints of $node has the text.
shows() {
	"$dhtctl" --control "$work/$node.sock" "$1" | grep -qF -- "$2"
}

# listens: a key of $node is announced; it is in $key.
listens() {
	begin listen
	within 15 grep -Eqx '[a-z0-9]{52}' "$work/$node.out" ||
		fail "does not listen" "$node"
	key=$(grep -Exm1 '[a-z0-9]{52}' "$work/$node.out")
}

# ---- states: each leaves the daemon in it, with its process in $pid ----

starting() {
	count=$((count + 1))
	node=node$count
	start "$node" --port=auto --bootstrap="$host:4009"
}

clients() {
	member
	begin watch
	begin watch
	within 5 shows status "clients	3" || fail "no clients" "$node"
}

operations() {
	member
	kill -STOP "$hub"
	begin lookup tea-drinkers
	begin netcheck
	begin put text
	within 5 shows status "operations	3" || fail "no operations" "$node"
}

listener() {
	member
	listens
}

dial_without_answer() {
	member
	listens
	member
	kill -STOP "$hub"
	begin connect "$key"
	within 5 shows connections "$key	-" || fail "no dial" "$node"
}

# With bytes that the listening program does not read.
connected() {
	member
	accepting=$node accepting_pid=$pid
	listens
	listening=$client
	member
	begin connect "$key"
	within 10 shows connections "$key	direct" ||
		fail "no connection" "$node"
	kill -STOP "$listening"
	head -c 3000000 /dev/zero >&9 &
	children="$children $!"
	sleep 0.5
}

accepted() {
	connected
	node=$accepting pid=$accepting_pid
}

# A name is looked up at a server that does not answer.
resolving() {
	count=$((count + 1))
	node=node$count
	echo nameserver 192.0.2.1 >"$work/resolv.conf"
	hyperdhtd=$work/resolving launch "$node" --port=auto --host=127.0.0.1 \
	    --bootstrap=bootstrap.example:4001 --log-level=debug
	within 5 logs "$node" "Resolve requested" ||
		fail "does not look up a name" "$node"
}

# stopped STATE SIGNALS: brings a daemon into the state and stops it.
stopped() {
	"$1"
	kill -TERM "$pid"
	if [ "$2" -eq 2 ]; then
		sleep 0.1
		kill -TERM "$pid" 2>/dev/null
	fi
	code=0
	if ! within 4 gone "$pid"; then
		kill -KILL "$pid"
		fail "$1: does not end after $2 signals" "$node"
	fi
	wait "$pid" || code=$?
	[ $code -eq 0 ] || fail "$1: $code after $2 signals" "$node"
	kill -CONT "$hub"
}

# hyperdhtd in a network and with a resolv.conf of its own.
cat >"$work/resolving" <<EOF
#!/bin/sh
exec unshare --map-root-user --mount --net sh -c 'ip link set lo up &&
    ip route add 192.0.2.1 dev lo &&
    mount --bind "$work/resolv.conf" /etc/resolv.conf &&
    exec "\$0" "\$@"' "$hyperdhtd" "\$@"
EOF
chmod +x "$work/resolving"

count=0
start hub --port=4001 --role=bootstrap --public-address="$host"
hub=$pid
for state in starting clients operations listener dial_without_answer \
	connected accepted; do
	stopped $state 1
	stopped $state 2
done
if unshare --map-root-user --mount --net ip link >"$work/out" 2>&1; then
	stopped resolving 1
	stopped resolving 2
else
	echo "not tested while a name is looked up: $(cat "$work/out")"
fi
exit $verdict
