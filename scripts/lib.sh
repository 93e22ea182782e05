# SPDX-License-Identifier: BSD-3-Clause
# For the scripts here, sourced: where the checkout is, who builds, and how to give up in one line.
# shellcheck shell=bash

me=${0##*/}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1

die() {
	echo "$me: $*" >&2
	exit 1
}

say() {
	printf '\n== %s\n' "$*"
}

# Runs a command as the user who called, also under sudo, so that what is built is theirs.
as_user() {
	if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
		runuser -u "$SUDO_USER" -- "$@"
	else
		"$@"
	fi
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# configure DIR [MESON OPTION...]: a build directory is set up once and kept.
configure() {
	local dir=$1

	shift
	[ -f "$dir/build.ninja" ] && return
	as_user meson setup "$dir" "$top" "$@" >"$dir.setup.log" 2>&1 || {
		cat "$dir.setup.log" >&2
		die "meson setup failed"
	}
	rm -f "$dir.setup.log"
}
