# SPDX-License-Identifier: BSD-3-Clause
# Directories with Debian packages of ours, sourced by tests/package/run and tests/lab/run.
# shellcheck shell=bash

# package_of DIRECTORY NAME: the file of a package.
package_of() { find "$1" -maxdepth 1 -name "$2_*.deb" -print -quit; }

# depends_of DIRECTORY...: the packages of Debian that ours depend on, a line each.
depends_of() {
	local of name

	for of in "$@"; do
		for name in postern postern-tools; do
			dpkg-deb -f "$(package_of "$of" $name)" Pre-Depends Depends
		done
	done | sed 's/^[A-Za-z-]*: //' | tr ',' '\n' | sed -E 's/^ *([^ (:]+).*/\1/' | grep -v '^postern' | sort -u
}

# as_older FROM TO: the same packages under version 0.0.1-1.
as_older() {
	local name tree

	tree=$(mktemp -d -p /var/tmp) || return
	for name in postern postern-tools; do
		dpkg-deb -R "$(package_of "$1" $name)" "$tree/of" &&
			sed -i 's/^Version: .*/Version: 0.0.1-1/' "$tree/of/DEBIAN/control" &&
			dpkg-deb -b --root-owner-group "$tree/of" "$2/${name}_0.0.1-1_amd64.deb" >/dev/null ||
			die "$name cannot be packed again"
		rm -rf "$tree/of"
	done
	rm -rf "$tree"
}
