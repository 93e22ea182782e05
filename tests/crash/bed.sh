# SPDX-License-Identifier: BSD-3-Clause
# The bed of tests/smoke (namespaces, daemon) with a fleet of devices, a backend that notes what it
# is asked, a capture that begins before there is a port, and marks in it. Sourced by the tests here.
# shellcheck shell=bash

. "$SMOKE_TOP/tests/smoke/harness.sh"
crash=$SMOKE_TOP/tests/crash
seed=${CRASH_SEED:-$RANDOM}
RANDOM=$seed

# tell SENTENCE: a figure, which tests/smoke/run shows.
tell() { echo "# told: $*"; }
tell "seed $seed"

# --- the daemon's disk --------------------------------------------------------------------------

# The daemon as harness.sh starts it, in a process of its own: with what it writes noted, to cut
# its power. $faults is what lostwrites.c is told beyond that.
faults=()
postern() {
	rm -rf $T/writes $T/calls $T/before
	mkdir -p $T/store
	cp -a $T/store $T/before
	: >$T/writes
	exec env LD_PRELOAD="$SMOKE_BUILD/tests/crash/lostwrites.so" LOSTWRITES_DIR=$T/store:$T/runtime \
		LOSTWRITES_LOG=$T/writes LOSTWRITES_CALLS=$T/calls "${faults[@]}" "$SMOKE_BUILD/gw/postern" "$@"
}

# power_cut none|some: what the daemon, which is dead, had not synced is lost, all or some of it;
# and so is the runtime directory, as with every boot. Leaves in $lost how many calls that were.
power_cut() {
	# shellcheck disable=SC2034 # the tests read it
	lost=$("$crash/power_cut" $T/before $T/writes $T/store "$1" $RANDOM) || bail "the power is cut"
	rm -rf $T/runtime
}

# --- the fleet ----------------------------------------------------------------------------------

# devices_made COUNT: their keys, in fleet.csv.
devices_made() { "$crash/devices" "$1" "$seed" >$T/fleet.csv; }

# fleet_made CSV LOG PAUSE-MS: a fleet that does not send yet.
fleet_made() {
	coproc FLEET { dev "$SMOKE_BUILD/tests/crash/fleet" "$1" "$2" $RANDOM "$3" 2>$T/fleet.err; }
	exec {fleet_out}<&"${FLEET[0]}" {fleet_in}>&"${FLEET[1]}"
}

# fleet COMMAND: leaves what it says in $said.
fleet() {
	echo "$1" >&"$fleet_in"
	# shellcheck disable=SC2034 # the tests read it
	read -r -t 300 said <&"$fleet_out" || bail "the fleet does: $1" "$(cat $T/fleet.err)"
}

# rows FIRST LAST COLUMNS: an import file of those devices, with never_used and gateway_seq.
rows() {
	sed -n "1s/$/,never_used,gateway_seq/p" $T/fleet.csv
	sed -n "$(($1 + 2)),$(($2 + 2))s/$/,$3/p" $T/fleet.csv
}

# --- backend ------------------------------------------------------------------------------------

# backend_noting: notes each request in backend.json before it answers. No two answers are the same,
# and each ends with its request's target: a device knows its own. Some take a while, so that
# requests are under way whenever the gateway dies.
backend_noting() {
	be "$SMOKE_BUILD/bench/postern-backend" --listen 10.9.0.2:8080 --log $T/backend.json --seed $RANDOM \
		--answer 'unique=1&delay=0-60&slow=30' >$T/backend.out 2>$T/backend.err &
	wait_line $T/backend.out http
}

backend_count() { wc -l <$T/backend.json; }

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
	wait_for $patience capture_has_end || bail "all is captured"
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
		printf "POST /crash HTTP/1.1\r\nHost: x\r\n\r\n" >&3; head -c 8 <&3' >/dev/null
}

# checked: the checker's points, and its figures. $all_keys is a file of more devices than the fleet,
# $sessions one of sessions of EDHOC.
checked() {
	points_of "the checker" "$crash/check" --backend $T/backend.json --fleet $T/fleet.txt \
		--summary $T/summary.json ${sessions:+--sessions "$sessions"} "${all_keys:-$T/fleet.csv}" $T/devices.pcap
	tell "$(jq -r '.counts | to_entries | map("\(.value) \(.key)") | join(", ")' $T/summary.json)"
	tell "repeats found: $(jq '.findings.nonce // 0' $T/summary.json)," \
		"accepted twice: $(jq '(.findings.twice // 0) + (.findings.backend // 0)' $T/summary.json)"
}

# below N: a random number, from 0.
below() { echo $(((RANDOM << 15 | RANDOM) % $1)); }

# pass_time MS: a moment that no event tells, such as that of a crash.
pass_time() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
