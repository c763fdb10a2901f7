#!/bin/sh
# SPDX-License-Identifier: ISC
#
# `make install` installs the unit, the groups and the directories under the
# paths that it was given, keeps a configuration that is there, and `make
# uninstall` removes what it installed.

# shellcheck source=tests/daemon/lib.sh
. "$(dirname "$0")/lib.sh"

dest=$work/dest
prefix=/opt/dht

# make_for GOAL [VARIABLE...]
make_for() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s DESTDIR="$dest" \
	    prefix="$prefix" sysconfdir="$prefix/etc" \
	    sysusersdir="$prefix/lib/sysusers.d" \
	    tmpfilesdir="$prefix/lib/tmpfiles.d" "$@" >"$work/make.log" 2>&1 ||
		fail "make $1" make
}

# has FILE LINE: the installed file has exactly this line.
has() {
	grep -qxF -- "$2" "$dest$prefix/$1" || fail "$1 lacks the line: $2"
}

make_for install-data-local systemdsystemunitdir=
test -e "$dest$prefix/etc/hyperdhtd/hyperdhtd.conf" ||
	fail "no configuration is installed"
test -e "$dest$prefix/lib" && fail "files for systemd that were not asked for"

echo '# mine' >"$dest$prefix/etc/hyperdhtd/hyperdhtd.conf"
make_for install-data-local systemdsystemunitdir="$prefix/lib/systemd/system"
unit=lib/systemd/system/hyperdhtd.service
has $unit "ExecStart=$prefix/sbin/hyperdhtd"
has $unit "ExecReload=$prefix/bin/dhtctl reload"
for group in admin user read; do
	has lib/sysusers.d/hyperdhtd.conf "g hyperdhtd-$group - -"
done
has lib/tmpfiles.d/hyperdhtd.conf "d $prefix/etc/hyperdhtd 0755 root root -"
has etc/hyperdhtd/hyperdhtd.conf '# mine'

# What systemd itself makes of them, in a tree of its own.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers --root="$dest" --dry-run \
	    "$dest$prefix/lib/sysusers.d/hyperdhtd.conf" \
	    >"$work/sysusers.log" 2>&1 || fail "systemd-sysusers" sysusers
	grep -q "Would create group hyperdhtd-user\|Creating group.*hyperdhtd-user" \
	    "$work/sysusers.log" || fail "systemd-sysusers creates none" sysusers
fi

make_for uninstall-local systemdsystemunitdir="$prefix/lib/systemd/system"
test -z "$(find "$dest$prefix/lib" -type f)" || fail "uninstall leaves files"
has etc/hyperdhtd/hyperdhtd.conf '# mine'
exit $verdict
