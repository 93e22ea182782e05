# SPDX-License-Identifier: BSD-3-Clause
# The guest's side of tests/lab/nic, sourced by each command that the host gives to tests/lab/agent.
# Its caller has set B (build/gw) and LOAD (postern-load).
# shellcheck shell=bash

. "${BASH_SOURCE[0]%/*}/nics.sh"
D=/run/postern # what the daemon has
umask 077
mkdir -p $D

# conf PCI-ADDRESS MORE-OF-THE-PORT WORKERS
conf() {
	[ -e $D/kek ] || "$B/posternctl" key create $D/kek >/dev/null
	cat >$D/postern.yaml <<-END
		ports:
		  - {name: wan0, pci: "$1", addresses: [192.0.2.1/24, "2001:db8::1/64"]$2}
		workers: {$3}
		upstreams: {web: {servers: ["http://127.0.0.1:8080"], timeout: 20s}}
		routes:
		  - {path: /echo, to: "builtin:echo"}
		  - {path: /*, to: web}
		devices: {store: $D/store, kek: $D/kek, max: 1000}
		control: {socket: $D/control.sock}
		runtime: $D/runtime
	END
}

# start [COMMAND...]: starts postern (by that command) and waits until it is ready. What it said is
# in $D/log, and printed if it ended instead.
start() {
	local pid

	"$@" "$B/postern" --config $D/postern.yaml </dev/null >$D/log 2>&1 &
	pid=$!
	echo $pid >$D/pid
	for ((i = 0; i < 150; i++)); do
		! grep -q ready $D/log || return 0
		kill -0 $pid 2>/dev/null || {
			wait $pid
			cat $D/log
			return 1
		}
		sleep 0.2
	done
	cat $D/log
	kill -KILL $pid
	return 1
}

# stop [-SIGNAL]
stop() {
	local pid

	pid=$(cat $D/pid)
	kill "${1:--TERM}" "$pid"
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# said PATTERN: waits until the daemon's log has it.
said() {
	for ((i = 0; i < 50; i++)); do
		! grep -E "$1" $D/log || return 0
		sleep 0.2
	done
	cat $D/log
	return 1
}

# counted NAME: waits until the counter is not 0.
counted() {
	for ((i = 0; i < 50; i++)); do
		! ctl stats | grep -E "^$1 +[1-9]" || return 0
		sleep 0.2
	done
	return 1
}

ctl() { "$B/posternctl" --socket $D/control.sock "$@"; }

# device FILE DEVICE-ID: makes keys, $D/FILE.json for postern-coap, and adds them.
device() {
	local secret

	secret=$(openssl rand -hex 16)
	echo "{\"device_id\": \"$2\", \"gateway_id\": \"01\", \"master_secret\": \"$secret\"}" >"$D/$1.json"
	echo "{\"name\": \"$1\", \"never_used\": true, $(cut -c2- "$D/$1.json")" >"$D/$1-gw.json"
	rm -f "$D/$1".json.seq*
	ctl device add "$D/$1-gw.json"
}

# coap HUB METHOD URI-WITHOUT-SCHEME [OPTION...]
coap() {
	ip netns exec "dev$1" "$B/postern-coap" "$2" "coap://$3" -c "$D/d$1.json" -q -t 20 "${@:4}"
}
