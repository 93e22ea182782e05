#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The systemd unit: systemd finds no mistake in it, and its sandbox leaves an exposure of at most 2.5
# of 10, alone and with each drop-in. It has what the daemon counts on.
set -u
cd "$(dirname "$0")/../packaging" || exit 1
export SYSTEMD_COLORS=0 SYSTEMD_PAGER=
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
points=0

point() {
	local verdict=ok

	points=$((points + 1))
	[ "$1" = 0 ] || verdict="not ok"
	echo "$verdict $points - $2"
	[ "$1" = 0 ] || sed 's/^/# /' <<<"$3"
}

if ! command -v systemd-analyze >/dev/null; then
	echo "1..0 # SKIP no systemd-analyze here"
	exit 0
fi

# The programs need not be installed here.
sed 's|=/usr/bin/postern[^ ]*|=/bin/true|' postern.service >"$dir/postern.service"

# analyzed NAME: the unit, and what is beside it.
analyzed() {
	local said

	said=$(SYSTEMD_UNIT_PATH=$dir: systemd-analyze verify --man=no "$dir/postern.service" 2>&1)
	point $(($? || ${#said})) "$1: no mistake" "$said"
	said=$(SYSTEMD_UNIT_PATH=$dir: systemd-analyze security --offline=true --threshold=25 \
		"$dir/postern.service" 2>&1)
	point $? "$1: an exposure of at most 2.5" "$said"
}

analyzed "the unit"
for drop_in in drop-ins/*.conf; do
	rm -rf "$dir/postern.service.d" && mkdir "$dir/postern.service.d"
	cp "$drop_in" "$dir/postern.service.d/"
	analyzed "with ${drop_in#*/}"
done

for line in Type=notify User=postern LimitMEMLOCK=infinity RuntimeDirectoryPreserve=yes \
	"LoadCredential=postern.kek:/etc/postern/postern.kek" "ExecReload=/usr/bin/posternctl reload" \
	WatchdogSec=30 TimeoutStopSec=90 NoNewPrivileges=yes; do
	grep -qxF "$line" postern.service
	point $? "the unit says $line" ""
done

# A mistake would be seen.
sed -i 's/^ProtectHome=.*/ProtectHome=perhaps/' "$dir/postern.service"
! systemd-analyze verify --man=no "$dir/postern.service" 2>"$dir/said" || [ -s "$dir/said" ]
point $? "a mistake is seen" ""
echo "1..$points"
