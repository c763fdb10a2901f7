# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# What scripts/check and scripts/demo share; they source it after setting
# `top` to the top of the source tree.

: "${top:?}"

# The Debian packages that a build needs.
BUILD_PACKAGES="autoconf automake make gcc libc6-dev pkg-config libevent-dev
	libsodium-dev libjansson-dev libconfuse-dev uthash-dev"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		echo "root is needed for: $*" >&2
		return 1
	fi
}

is_installed() {
	dpkg -s "$1" 2>/dev/null | grep -q '^Status: install ok installed'
}

# install_packages NAME...: installs those that are missing, if any.
install_packages() {
	missing=
	for package in "$@"; do
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "please install these packages or their like:$missing" >&2
		return 1
	fi
	echo "installing:$missing"
	# shellcheck disable=SC2086
	apt_install $missing || {
		as_root apt-get update -q </dev/null && apt_install $missing
	}
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
	    --no-install-recommends "$@" </dev/null
}

# install_node: nodejs and npm, only if the commands are missing.
install_node() {
	command -v node >/dev/null 2>&1 || install_packages nodejs || return 1
	command -v npm >/dev/null 2>&1 || install_packages npm
}

jobs_count() {
	nproc 2>/dev/null || echo 1
}

# configure_in DIR OPTION...: makes DIR a build tree with these options.
configure_in() {
	tree=$1
	shift
	# Once configured, a build tree keeps itself in step with configure.ac.
	[ -x "$top/configure" ] || "$top/autogen.sh" || return 1
	mkdir -p "$tree" || return 1
	if [ -f "$tree/config.status" ] &&
	    [ "$(cat "$tree/.options" 2>/dev/null)" = "$*" ]; then
		return 0
	fi
	(cd "$tree" && "$top/configure" -q "$@") || return 1
	echo "$*" >"$tree/.options"
}

# build_in DIR OPTION...: configures DIR and builds the programs there.
build_in() {
	configure_in "$@" && make -C "$1" -j"$(jobs_count)"
}

# build: hyperdhtd and dhtctl in build/, all that is missing installed.
build() {
	# shellcheck disable=SC2086
	install_packages $BUILD_PACKAGES && build_in "$top/build"
}
