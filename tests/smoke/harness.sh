# SPDX-License-Identifier: BSD-3-Clause
# The bed of the smoke tests, sourced by each. tests/smoke/run gives a test its own mount, network
# and process id namespaces; all below is made in them, and gone with them.
#
#      namespace dev               the test's own (gw)                    namespace be
#    the device's side                the gateway                          the backends
#   +-----------------+       +----------------------------+       +------------------------+
#   |  192.0.2.2      | dtap0 | postern   192.0.2.1        | gw-be |  10.9.0.2:8080 ...     |
#   |  2001:db8::2    |=======|           2001:db8::1      |-------|  tests/smoke/backend   |
#   |  postern-coap   |  TAP  |   10.9.0.1                 |  veth |  (log: backend.log)    |
#   +-----------------+       +----------------------------+       +------------------------+
#
# dtap0 is the kernel's end of the daemon's TAP port; it is moved into dev when the daemon is ready.
#
# A test prints TAP: ok, is, like and not_ok below are its points, done_testing its end. It waits
# for events (wait_for, wait_line, wait_counter), never for time to pass.
# shellcheck shell=bash

set -u
. "$SMOKE_TOP/scripts/lib.sh"
here=$SMOKE_TOP/tests/smoke
T=/run/smoke # the files of this test
PATH=$SMOKE_BUILD/gw:$here:/usr/sbin:/usr/bin:/sbin:/bin
export PATH PYTHONDONTWRITEBYTECODE=1
backend_url=http://10.9.0.2:8080
patience=60 # seconds for what should come at once: it costs nothing, and other machines are busier
points=0

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns $T
cd $T || exit 1
trap 'show_logs' EXIT

# What the programs said is shown if the test failed; the runner drops it otherwise.
show_logs() {
	local file

	for file in "$T"/*.log "$T"/*.err; do
		[ -s "$file" ] || continue
		echo "--- ${file##*/}"
		tail -n 60 "$file" | cut -c 1-300
	done >&2
}

# A test that hangs is killed by tests/smoke/run; before that it tells what it does.
if [ -n "${SMOKE_LIMIT:-}" ]; then
	{
		sleep $((SMOKE_LIMIT - 5))
		echo "--- running" >&2
		pgrep -a . >&2
		show_logs
	} &
fi

# --- points -------------------------------------------------------------------------------------

pass() {
	points=$((points + 1))
	echo "ok $points - $1"
}

not_ok() {
	points=$((points + 1))
	echo "not ok $points - $1"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
	return 1
}

# ok NAME COMMAND...: the command succeeds.
ok() {
	local name=$1 out

	shift
	if out=$("$@" 2>&1); then pass "$name"; else not_ok "$name" "status $? of: $*" "$out"; fi
}

# fails NAME PATTERN COMMAND...: the command fails by itself, not by a signal, and says PATTERN (an
# extended regular expression).
fails() {
	local name=$1 pattern=$2 out status

	shift 2
	out=$("$@" 2>&1)
	status=$?
	if [ $status != 0 ] && [ $status -lt 124 ] && grep -qE -e "$pattern" <<<"$out"; then
		pass "$name"
	else
		not_ok "$name" "status $status, wanted words like: $pattern" "$out"
	fi
}

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then pass "$1"; else not_ok "$1" "got:    $2" "wanted: $3"; fi
}

# like NAME GOT PATTERN
like() {
	if grep -qE -e "$3" <<<"$2"; then pass "$1"; else not_ok "$1" "got:         $2" "wanted like: $3"; fi
}

unlike() {
	if grep -qE -e "$3" <<<"$2"; then not_ok "$1" "got:    $2" "but not: $3"; else pass "$1"; fi
}

done_testing() {
	echo "1..$points"
	exit 0
}

# points_of NAME COMMAND...: runs a program that prints TAP points, and takes them over.
points_of() {
	local name=$1 line status

	shift
	"$@" >$T/points.out 2>$T/points.err
	status=$?
	while IFS= read -r line; do
		case $line in
		"ok - "*) pass "${line#ok - }" ;;
		"not ok - "*) not_ok "${line#not ok - }" ;;
		"#"*) echo "$line" ;;
		esac
	done <$T/points.out
	is "$name: all of it ran" $status 0
}

# The test cannot go on.
bail() {
	not_ok "$@"
	echo "1..$points"
	exit 1
}

# --- waiting ------------------------------------------------------------------------------------

# wait_line FILE PATTERN [SECONDS]
wait_line() {
	wait_for "${3:-$patience}" grep -qE -e "$2" "$1" || bail "$1 says: $2" "$(tail -n 20 "$1" 2>&1)"
}

# --- the networks -------------------------------------------------------------------------------

dev() { ip netns exec dev "$@"; }
be() { ip netns exec be "$@"; }

networks() {
	ip link set lo up
	ip netns add dev && ip netns add be || bail "network namespaces can be made"
	ip link add gw-be type veth peer name be0 netns be
	ip addr add 10.9.0.1/24 dev gw-be
	ip link set gw-be up
	be ip link set lo up
	be ip addr add 10.9.0.2/24 dev be0
	be ip link set be0 up
	dev ip link set lo up
	# A second or two of waiting for duplicates of addresses that are ours alone.
	echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
	dev sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
}

# Moves the TAP port's kernel end to the device's side.
device_side() {
	ip link set dtap0 netns dev || bail "dtap0 can be moved"
	dev ip addr add 192.0.2.2/24 dev dtap0
	dev ip addr add 192.0.2.3/24 dev dtap0
	dev ip addr add 2001:db8::2/64 dev dtap0 nodad
	dev ip link set dtap0 up
}

# --- backends -----------------------------------------------------------------------------------

# backend [OPTIONS]: see tests/smoke/backend. Its requests are in backend.log, a JSON line each.
backend() {
	be backend --log $T/backend.log "$@" 2>>$T/backend.err &
	wait_line $T/backend.err 'listening'
	: >$T/backend.err
}

# certificate NAME [OPTIONS of openssl req]: makes NAME.key, NAME.crt, and NAME.pem of both.
certificate() {
	local name=$1

	shift
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=$name" -keyout "$name.key" -out "$name.crt" "$@" 2>>openssl.err ||
		bail "certificates can be made" "$(cat openssl.err)"
	cat "$name.key" "$name.crt" >"$name.pem"
}

# system_authority FILE: the system trusts this certificate, in its file and its folder, and no other.
system_authority() {
	mkdir $T/certs
	cp "$1" $T/certs/ca-certificates.crt
	cp "$1" "$T/certs/$(openssl x509 -hash -noout -in "$1").0"
	mount --bind $T/certs /etc/ssl/certs || bail "the system's authorities can be replaced"
}

# holds FILTER [FILE]: whether a filter of jq is true of what there is; jq -e takes nothing for true.
holds() { [ "$(jq "$@" 2>/dev/null)" = true ]; }

# requests [JQ FILTER]: how many requests the backends saw.
requests() {
	jq -s "map(select(${1:-true})) | length" $T/backend.log
}

# --- the daemon ---------------------------------------------------------------------------------

# config [ROUTES [UPSTREAMS]]: writes postern.yaml. Both are YAML flow text.
config() {
	cat >$T/postern.yaml <<END
ports:
  - {name: wan0, tap: dtap0, addresses: [192.0.2.1/24, "2001:db8::1/64"]}
workers: {cores: [0]}
upstreams: {${2:-plain: {servers: ["$backend_url"], timeout: 20s\}}}
routes: [${1:-{path: /*, to: plain\}}]
devices: {store: $T/store, kek: $T/kek, max: 65536}
control: {socket: $T/control.sock}
runtime: $T/runtime
END
	[ -e $T/kek ] || posternctl key create $T/kek >/dev/null || bail "a key can be made"
}

# answers_piggybacked: also if the backend takes its time on a busy machine. After a quarter of this
# the device would get an empty ACK first.
answers_piggybacked() { sed -i 's/^devices: {/&ack_timeout: 60s, /' $T/postern.yaml; }

ctl() { posternctl --socket $T/control.sock "$@"; }

gateway_pid=
# Starts the daemon and connects the device's side.
gateway() {
	gateway_alone
	device_side
}

gateway_alone() {
	: >$T/postern.log
	postern --config $T/postern.yaml >>$T/postern.log 2>&1 &
	gateway_pid=$!
	wait_for "${gateway_wait:-$patience}" gateway_said_or_died ||
		bail "the daemon starts in ${gateway_wait:-$patience} s"
	grep -q 'ready' $T/postern.log || bail "the daemon starts" "$(cat $T/postern.log)"
}

gateway_said_or_died() {
	grep -q 'ready' $T/postern.log || ! kill -0 "$gateway_pid"
}

gateway_alive() { kill -0 "$gateway_pid" 2>/dev/null && ctl status >/dev/null; }

gateway_stop() {
	kill -TERM "$gateway_pid"
	wait "$gateway_pid"
	is "SIGTERM is a clean stop" $? 0
}

gateway_kill() {
	kill -KILL "$gateway_pid"
	wait "$gateway_pid" 2>/dev/null
}

# counter NAME: of "posternctl stats".
counter() {
	ctl --json stats --all | jq -r --arg name "$1" '.[] | select(.name == $name) | .total'
}

# wait_counter NAME VALUE: until the counter is at least VALUE.
wait_counter() {
	wait_for $patience counter_reached "$1" "$2" || bail "$1 reaches $2" "it is $(counter "$1")"
}

counter_reached() { [ "$(counter "$1")" -ge "$2" ]; }

# --- devices ------------------------------------------------------------------------------------

csv_header=device_id,gateway_id,master_secret,master_salt,id_context,algorithm,name,never_used,gateway_seq

# device NAME DEVICE_ID GATEWAY_ID [ID_CONTEXT [ALGORITHM]]: makes keys, imports them, and writes
# NAME.json for postern-coap and tests/smoke/oscore.
device() {
	device_keys "$@"
	device_import "$(device_row "$1")"
}

device_keys() {
	jq -n --arg d "$2" --arg g "$3" --arg c "${4:-}" --arg a "${5:-AES-CCM-16-64-128}" \
		--arg s "$(openssl rand -hex 16)" --arg t "$(openssl rand -hex 8)" '
		{master_secret: $s, master_salt: $t, sender_id: $d, recipient_id: $g, algorithm: $a} +
		if $c == "" then {} else {id_context: $c} end' >"$T/$1.json"
	chmod 600 "$T/$1.json"
}

device_row() {
	jq -r --arg name "$1" '[.sender_id, .recipient_id, .master_secret, .master_salt,
		.id_context // "", .algorithm, $name, "true", ""] | join(",")' "$T/$1.json"
}

# device_import ROW...
device_import() {
	printf '%s\n' "$csv_header" "$@" >$T/devices.csv
	ctl device import $T/devices.csv >$T/import.out 2>&1 || bail "devices can be imported" "$(cat $T/import.out)"
}

# device_json NAME [FILTER]: the device as posternctl takes it, changed by a filter of jq.
device_json() {
	jq --arg name "$1" '{name: $name, device_id: .sender_id, gateway_id: .recipient_id,
		master_secret, master_salt, algorithm, never_used: true} +
		if .id_context then {id_context} else {} end | '"${2:-.}" "$T/$1.json"
}

# state DEVICE [FIELD]: of "posternctl device show".
state() { ctl --json device show "$1" | jq -r ".${2:-state}"; }

# coap DEVICE METHOD PATH [OPTIONS]: a request over IPv4 with postern-coap.
coap() {
	local name=$1 method=$2 path=$3

	shift 3
	dev postern-coap "$method" "coap://192.0.2.1$path" -c "$T/$name.json" "$@"
}

# coap_process DEVICE METHOD PATH [OPTIONS]: the same in place of the shell, so that $! behind
# "coap_process ... &" is the client. Behind "coap ... &" it is a shell, whose signals reach no client.
coap_process() {
	local name=$1 method=$2 path=$3

	shift 3
	exec ip netns exec dev postern-coap "$method" "coap://192.0.2.1$path" -c "$T/$name.json" "$@"
}

# seal DEVICE METHOD PATH [DATA] [OPTIONS]: bytes (hex) of a request with the next Partial IV, made
# by tests/smoke/oscore.
seal() {
	local name=$1

	shift
	oscore seal "$T/$name.json" "$@" --piv "$(next_piv "$name")"
}

next_piv() {
	local piv

	piv=$(cat "$T/$1.piv" 2>/dev/null || echo 0)
	echo $((piv + 1)) >"$T/$1.piv"
	echo "$piv"
}

# ask DEVICE METHOD PATH [DATA] [OPTIONS]: prints the opened answer: code, options, payload.
ask() {
	local name=$1

	shift
	dev oscore ask "$T/$name.json" "$@" --piv "$(next_piv "$name")"
}

# retransmit REQUEST: sends it until there is an answer, which is left in answer.
retransmit() {
	# shellcheck disable=SC2034 # the tests read it
	answer=$(dev udp 192.0.2.1 "$1" --separate --again 1) || bail "a retransmission is answered"
}

# silent NAME REQUEST... [OPTIONS of udp]: none of them is answered, though pings are.
silent() { silent_at 192.0.2.1 "$@"; }

# silent_at ADDRESS NAME REQUEST... [OPTIONS of udp]
silent_at() {
	local address=$1 name=$2 out status

	shift 2
	[ -n "$1" ] || bail "$name: there is a request"
	out=$(dev udp "$address" "$@" --answers 0 2>&1)
	status=$?
	is "$name" "$status $out" "0 "
}

# --- captures -----------------------------------------------------------------------------------

# capture FILE: all packets at the device's side.
capture() {
	captured=$1
	dev tcpdump -i dtap0 --immediate-mode -U -Z root -w "$captured" 2>$T/tcpdump.err &
	capture_pid=$!
	wait_line $T/tcpdump.err 'listening on'
}

# capture_end PACKETS [FILTER]: once so many have come that fit the filter.
capture_end() {
	wait_for $patience captured_packets "$@" || bail "$1 packets are captured"
	kill -TERM "$capture_pid"
	wait "$capture_pid"
}

captured_packets() {
	[ "$(tcpdump -r "$captured" "${2:-udp}" 2>/dev/null | wc -l)" -ge "$1" ]
}
