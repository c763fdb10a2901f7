#!/bin/sh
# SPDX-License-Identifier: ISC
#
# connect.sh SOCKET KEY: joins standard input and output with a peer.
#
# Without -t, socat ends half a second after the end of standard input, whatever
# the peer has still to send.

{
	printf '{"jsonrpc":"2.0","id":1,"method":"connect","params":{"public_key":"%s"}}\n' "$2"
	cat
} | socat -t 86400 - "UNIX-CONNECT:$1" | {
	# read takes no byte beyond the end of its line.
	read -r greeting && read -r reply || reply=$greeting
	case $reply in
	*'"result":'*) exec cat ;;
	esac
	printf '%s\n' "$reply" >&2
	exit 1
}
