# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Functions of scripts/check and scripts/demo, which source this file after
# setting `top` to the top of the source tree.

: "${top:?}"

# The Debian packages that a build needs.
# shellcheck disable=SC2034
BUILD_PACKAGES="autoconf automake make gcc libc6-dev pkg-config libevent-dev
	libsodium-dev libssl-dev libjansson-dev libconfuse-dev uthash-dev"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		echo "this needs root: $*" >&2
		return 1
	fi
}

is_installed() {
	dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed'
}

# install_packages NAME...: installs the packages that are missing.
install_packages() {
	missing=
	for package in "$@"; do
		is_installed "$package" || missing="$missing $package"
	done
	if [ -z "$missing" ]; then
		echo "all packages are installed"
		return 0
	fi
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "install these packages or their equivalents:$missing" >&2
		return 1
	fi
	echo "apt-get install$missing"
	if [ "$(id -u)" -ne 0 ]; then
		echo "sudo may ask for your password, for this only"
	fi
	# shellcheck disable=SC2086
	apt_install $missing || {
		as_root apt-get update -q </dev/null && apt_install $missing
	}
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
	    --no-install-recommends "$@" </dev/null
}

# install_node: installs nodejs and npm if their commands are missing.
install_node() {
	command -v node >/dev/null 2>&1 || install_packages nodejs || return 1
	command -v npm >/dev/null 2>&1 || install_packages npm
}

jobs_count() {
	nproc 2>/dev/null || echo 1
}

# configure_in DIR OPTION...: configures DIR as a build tree with these options.
# Without options, a tree that is already configured is used as it is.
configure_in() {
	tree=$1
	shift
	# make runs configure again after a change of configure.ac.
	[ -x "$top/configure" ] || "$top/autogen.sh" || return 1
	mkdir -p "$tree" || return 1
	if [ -f "$tree/config.status" ]; then
		[ $# -gt 0 ] || return 0
		[ "$(cat "$tree/.options" 2>/dev/null)" != "$*" ] || return 0
	fi
	# make does not recompile objects that were made with other options.
	if [ -f "$tree/Makefile" ]; then
		rm -f "$tree/.options"
		make -s -C "$tree" clean || return 1
	fi
	(cd "$tree" && "$top/configure" -q "$@") || return 1
	echo "$*" >"$tree/.options"
}

# build_in DIR OPTION...: configures DIR and builds the programs there.
build_in() {
	configure_in "$@" && make -C "$1" -j"$(jobs_count)"
}

# watch_progress PID LOG PATTERN NOUN: until the process ends, prints every
# PROGRESS_SECONDS how many lines of LOG match PATTERN, if there are any yet.
PROGRESS_SECONDS=15
watch_progress() {
	elapsed=0
	while kill -0 "$1" 2>/dev/null; do
		sleep 1
		elapsed=$((elapsed + 1))
		[ $((elapsed % PROGRESS_SECONDS)) -eq 0 ] || continue
		if matched=$(grep -cE -- "$3" "$2" 2>/dev/null); then
			echo "   $elapsed s: $matched $4"
		else
			echo "   $elapsed s"
		fi
	done
}
