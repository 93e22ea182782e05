# SPDX-License-Identifier: BSD-3-Clause
# NICs of the labs' guests: what both guest.sh and unit.sh do with them.
# shellcheck shell=bash

# bind PCI-ADDRESS DRIVER
bind() {
	local device=/sys/bus/pci/devices/$1

	[ ! -e "$device/driver" ] || echo "$1" >"$device/driver/unbind"
	echo "$2" >"$device/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
}

# netdev MAC: the name of the netdev with it, once it is there.
netdev() {
	local path

	for ((i = 0; i < 50; i++)); do
		for path in /sys/class/net/*; do
			[ "$(cat "$path/address")" = "$1" ] && echo "${path##*/}" && return
		done
		sleep 0.2
	done
	return 1
}

# peer HUB: the hub's other NIC becomes pHUB in the namespace devHUB.
peer() {
	local name

	name=$(netdev "52:54:00:00:0$1:02") && ip netns add "dev$1" &&
		ip link set "$name" netns "dev$1" name "p$1" && devices_side "dev$1" "p$1"
}

# devices_side NAMESPACE NETDEV: the addresses that the labs' devices have.
devices_side() {
	ip -n "$1" link set lo up
	ip -n "$1" link set "$2" up
	ip -n "$1" addr add 192.0.2.2/24 dev "$2"
	ip -n "$1" addr add 2001:db8::2/64 dev "$2" nodad
}
