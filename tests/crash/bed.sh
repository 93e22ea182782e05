# SPDX-License-Identifier: BSD-3-Clause
# The bed of tests/smoke (namespaces, daemon) with a fleet of devices, a backend that notes what it
# is asked, a capture that begins before there is a port, and marks in it. Sourced by the tests here.
# shellcheck shell=bash

. "$SMOKE_TOP/tests/smoke/harness.sh"
crash=$SMOKE_TOP/tests/crash
seed=${CRASH_SEED:-$RANDOM}
RANDOM=$seed
echo "# seed $seed"

# --- the fleet ----------------------------------------------------------------------------------

# fleet_made DEVICES PAUSE-MS: devices.csv, and a fleet of them that does not send yet.
fleet_made() {
	"$crash/devices" "$1" "$seed" >$T/fleet.csv
	coproc FLEET { dev "$SMOKE_BUILD/tests/crash/fleet" $T/fleet.csv $T/fleet.txt "$seed" "$2" 2>$T/fleet.err; }
	exec {fleet_out}<&"${FLEET[0]}" {fleet_in}>&"${FLEET[1]}"
}

# fleet COMMAND: leaves what it says in $said.
fleet() {
	echo "$1" >&"$fleet_in"
	# shellcheck disable=SC2034 # the tests read it
	read -r -t 120 said <&"$fleet_out" || bail "the fleet does: $1" "$(cat $T/fleet.err)"
}

# rows FIRST LAST COLUMNS: an import file of those devices, with never_used and gateway_seq.
rows() {
	sed -n "1s/$/,never_used,gateway_seq/p" $T/fleet.csv
	sed -n "$(($1 + 2)),$(($2 + 2))s/$/,$3/p" $T/fleet.csv
}

# --- backend ------------------------------------------------------------------------------------

backend_noting() {
	be "$crash/backend" 10.9.0.2:8080 $T/backend.txt 2>$T/backend.err &
	wait_line $T/backend.err listening 10
	: >$T/backend.err
}

backend_count() { wc -l <$T/backend.txt; }

# --- captures -----------------------------------------------------------------------------------

# captures_start: all UDP of the devices' namespace, from before a port is there; and all CoAP that
# might appear in the gateway's own.
captures_start() {
	ip netns exec dev tcpdump -i any -U -B 131072 -Z root -w $T/devices.pcap udp 2>$T/devices.tcpdump &
	devices_capture=$!
	tcpdump -i any -U -B 16384 -Z root -w $T/gateway.pcap udp port 5683 2>$T/gateway.tcpdump &
	gateway_capture=$!
	wait_line $T/devices.tcpdump 'listening on'
	wait_line $T/gateway.tcpdump 'listening on'
}

# captures_end: nothing was lost.
captures_end() {
	local file

	mark end
	wait_for 30 capture_has_end || bail "all is captured"
	kill -TERM "$devices_capture" "$gateway_capture"
	wait "$devices_capture" "$gateway_capture"
	is "no CoAP in the gateway's own namespace" "$(tcpdump -r $T/gateway.pcap 2>/dev/null | wc -l)" 0
	for file in devices gateway; do
		like "the capture at the $file' side lost no packet" "$(cat $T/$file.tcpdump)" \
			'(^|\s)0 packets dropped by kernel'
		unlike "nor did an interface" "$(cat $T/$file.tcpdump)" 'dropped by interface'
	done
}

capture_has_end() { tail -c 4 $T/devices.pcap | grep -qa '^end$'; }

# mark WORDS: a datagram on the devices' loopback, in line with what is captured (see check).
mark() { dev bash -c 'echo "$*" >/dev/udp/127.0.0.1/9' - "$@"; }

# mark_backend: the next line of its log is of another life of the gateway. In line with requests
# that the gateway sent before it died: the backend reads them first.
mark_backend() {
	be bash -c 'exec 3<>/dev/tcp/10.9.0.2/8080
		printf "POST /crash HTTP/1.1\r\n\r\n" >&3; head -c 8 <&3' >/dev/null
}

# checked: the checker's points, and its figures.
checked() {
	points_of "the checker" "$crash/check" --backend $T/backend.txt --fleet $T/fleet.txt \
		--summary $T/summary.json $T/fleet.csv $T/devices.pcap
}

# below N: a random number, from 0.
below() { echo $(((RANDOM << 15 | RANDOM) % $1)); }

# pass_time MS: a moment that no event tells, such as that of a crash.
pass_time() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
