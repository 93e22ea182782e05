# SPDX-License-Identifier: BSD-3-Clause
# The guest's side of tests/lab/run, sourced by each command that the host gives to tests/lab/agent:
# what an operator and a device do. postern is the package's, started by systemd.
# shellcheck shell=bash

. /run/share/nics.sh
. /run/share/authority.sh
D=/var/lib/lab # the operator's files, and the devices'
C=/etc/postern/postern.yaml
export SYSTEMD_COLORS=0 SYSTEMD_PAGER='' LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
P=300 # seconds for what should come at once: software emulation on a busy machine is slow
mkdir -p $D/www

# --- the gateway

# conf PORT [WORKERS [ROUTE-OR-MORE]]: the configuration.
conf() {
	cat >$C <<-END
		ports:
		  - {name: wan0, $1, addresses: [192.0.2.1/24, "2001:db8::1/64"]}
		workers: {${2:-}}
		upstreams: {web: {servers: ["http://127.0.0.1:8080"], timeout: 20s}}
		routes:
		  - {path: /echo, to: "builtin:echo"}
		  - {path: /*, to: web}
		${3:-}
	END
}

# conf_more PORT: a configuration with pushes, streams of events, and devices with certificates, and the
# files that it names, which are of the daemon's user.
conf_more() {
	conf "$1"
	sed -i 's|^routes:|&\n  - {path: /set/*, to: web, methods: [GET], cache: shared, observe: {push: true}}|
		s|^routes:|&\n  - {path: /events/*, to: web, cache: shared, observe: {stream: {format: 0}}}|' $C
	cat >>$C <<-END
		push: {listen: /run/postern/push.sock, token: /etc/postern/push.token}
		edhoc:
		  identity: /etc/postern/edhoc.json
		  trust: [{ca: /etc/postern/authority.pem, name: "fab-{cn}"}]
		  revoked: /etc/postern/edhoc-revoked
	END
	rm -f /etc/postern/edhoc.json
	postern-coap --edhoc-make /etc/postern/edhoc.json >$D/gateway.json
	openssl rand -hex 24 >/etc/postern/push.token
	chown postern /etc/postern/edhoc.json /etc/postern/push.token
	chmod 600 /etc/postern/edhoc.json /etc/postern/push.token
	(
		cd $D && authority first && authority second &&
			device_certificate one first 1 keyAgreement && device_certificate two second 2 keyAgreement 0x01a2
	) 2>$D/openssl.err || cat $D/openssl.err
	cp $D/first.pem /etc/postern/authority.pem
	: >/etc/postern/edhoc-revoked
}

# unit COMMAND: start, stop, restart or reload; what the journal says if it fails.
unit() {
	systemctl reset-failed postern 2>/dev/null
	systemctl "$1" postern && return
	journalctl -u postern -n 25 -o cat
	return 1
}

shown() { systemctl show -p "$1" --value postern; }
daemon() { shown MainPID; }

# noted: from here on said looks. The cursor is that of an entry of the unit: systemd 252 passes over one
# entry that matches, whether the cursor's own does or not.
noted() {
	journalctl -q --sync
	journalctl -q -u postern -n 1 --show-cursor -o cat | sed -n 's/^-- cursor: //p' >$D/cursor
}

# log_now: what the daemon, and systemd of it, said since noted.
# shellcheck disable=SC2120 # what run gives it
log_now() { journalctl -q -u postern --after-cursor="$(cat $D/cursor)" -o cat "$@"; }

# said PATTERN [SECONDS]: waits until the journal has it.
said() {
	local end=$((SECONDS + ${2:-$P}))

	while [ $SECONDS -lt $end ]; do
		! log_now | grep -E -e "$1" || return 0
		sleep 0.2
	done
	log_now | tail -n 20
	return 1
}

# until SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

state_is() { [ "$(shown ActiveState)" = "$1" ]; }
is_active() { state_is active; }
active_but_not() { is_active && [ "$(daemon)" != "$1" ] && [ "$(daemon)" != 0 ]; }
counter() { posternctl --json stats --all | jq -r --arg name "$1" '.[] | select(.name == $name) | .total'; }

# privileges: the daemon's threads have none, and live under filters; its file system is read-only but
# for its own, without homes, with a /tmp of its own.
privileges() {
	local pid

	pid=$(daemon)
	awk '/^Cap(Inh|Prm|Eff|Amb):/ && $2 !~ /^0+$/ || /^NoNewPrivs:/ && $2 != 1 || /^Seccomp:/ && $2 != 2 ||
		/^Uid:/ && ($2 == 0 || $3 == 0) { print FILENAME ": " $0 }' /proc/"$pid"/task/*/status >$D/outside
	touch /tmp/of-the-system
	nsenter -t "$pid" -m sh -c '
		for file in /etc/x /usr/x /boot/x /var/lib/x /sys/kernel/x; do
			! touch $file 2>/dev/null || echo "$file can be written"
		done
		for home in /home /root; do ls -A $home; done
		ls /tmp/of-the-system 2>/dev/null' >>$D/outside 2>&1
	cat $D/outside
	[ ! -s $D/outside ] && echo "$(ls /proc/"$pid"/task | wc -l) threads without any"
}

# --- the devices

# keys: those of a device of its own for this run, added as one that was never used.
keys() {
	local secret

	secret=$(openssl rand -hex 16)
	(
		umask 077
		echo "{\"device_id\": \"0a\", \"gateway_id\": \"01\", \"master_secret\": \"$secret\"}" >$D/d.json
		echo "{\"name\": \"pump\", \"never_used\": true, $(cut -c2- $D/d.json)" >$D/d-gateway.json
	)
	posternctl device add $D/d-gateway.json
}

# fleet NAME COUNT FIRST-ID: keys of many, imported.
fleet() {
	rm -f $D/"$1".csv*
	postern-load --make-devices "$2" --first-id "$3" $D/"$1".csv && sed -i "s/load-/$1-/" $D/"$1".csv &&
		posternctl device import $D/"$1".csv
}

# coap NAMESPACE METHOD URI-WITHOUT-SCHEME [OPTION...]
coap() { ip netns exec "$1" postern-coap "$2" "coap://$3" -c $D/d.json -q -t 60 "${@:4}"; }

# edhoc NAME METHOD PATH [OPTION...]: a device with a key pair, behind the first hub.
edhoc() {
	ip netns exec dev0 postern-coap "$2" "coap://192.0.2.1$3" --edhoc $D/"$1".json --edhoc-gateway $D/gateway.json \
		-q -t 60 "${@:4}"
}

# pushed PATH VALUE TOKEN: the status of the answer.
pushed() {
	curl -s --max-time 60 --unix-socket /run/postern/push.sock -o $D/pushed -w '%{http_code}' -X PUT -d "$2" \
		-H "Authorization: Bearer $3" "http://localhost/v1/resources$1"
}

# load NAMESPACE FLEET REQUESTS [OPTION...]: says how many were lost.
load() {
	ip netns exec "$1" postern-load -k $D/"$2".csv -q -w 8 --timeout 60 --requests "$3" "${@:4}" coap://192.0.2.1/echo
}

# loading NAMESPACE FLEET RATE [OPTION...]: in the background, until loaded.
loading() {
	rm -f $D/load.*
	setsid bash -c 'echo $$ >"$1/load.pid"; exec ip netns exec "$2" postern-load -k "$1/$3.csv" -q --json -t 1000 --timeout 60 -r "${@:4}" \
		coap://192.0.2.1/echo' - $D "$@" >$D/load.out 2>&1 </dev/null &
	until_true $P test -s $D/load.pid
	sleep 2
}

# loaded: a while longer, for what comes after; then it ends. Prints what became of the requests.
loaded() {
	local pid

	sleep 5
	pid=$(cat $D/load.pid)
	kill -INT "$pid"
	until_true $P test ! -e /proc/"$pid"
	jq -r '"\(.sent) sent, \(.answered) answered, \(.lost) lost, \(.challenges) challenges, \(.failed) failed"' $D/load.out ||
		cat $D/load.out
}

backend_start() {
	echo hello >$D/www/greeting
	(
		cd $D || exit
		exec setsid python3 /run/share/backend --listen 127.0.0.1:8080 --log $D/backend.log </dev/null >/dev/null 2>&1
	) >/dev/null 2>&1 &
	until_true $P curl -s http://127.0.0.1:8080/
}

# tap_to NAMESPACE: the kernel's end of the TAP port goes there.
tap_to() {
	[ -e /run/netns/"$1" ] || ip netns add "$1"
	ip link set dtap0 netns "$1" && devices_side "$1" dtap0
}

# --- captures, for tests/crash/check

# mark WORDS: a datagram on the loopback of the devices' namespace, in line with what is captured.
mark() { ip netns exec "$1" bash -c 'echo "$*" >/dev/udp/127.0.0.1/9' - "${@:2}"; }

capture_start() {
	setsid ip netns exec "$1" tcpdump -i any -U -B 65536 -Z root -w $D/devices.pcap udp </dev/null >$D/tcpdump.log 2>&1 &
	until_true $P grep -q 'listening on' $D/tcpdump.log
}

captured_all() { tail -c 4 $D/devices.pcap | grep -qa '^end$'; }

# capture_end NAMESPACE FLEET: both files are in the shared folder then.
capture_end() {
	mark "$1" end
	until_true $P captured_all
	pkill -TERM -x tcpdump
	until_true $P grep -q 'dropped by kernel' $D/tcpdump.log
	cp $D/devices.pcap "$D/$2.csv" /run/share/
	grep 'dropped by kernel' $D/tcpdump.log
}

# --- a thread that is held, as a debugger does

# held NAME: until let_go or the daemon's end.
held() {
	rm -f $D/hold $D/held
	mkfifo $D/hold
	setsid python3 /run/share/hold_thread "$(daemon)" "$1" <$D/hold >$D/held 2>&1 &
	exec 8>$D/hold
	until_true $P grep -q held $D/held || cat $D/held
}

# stuck THREAD NAME [COMMAND]: held, while the command gives it work, until systemd ends the daemon; the
# journal names it in time, and it is started again. Prints the seconds of both.
stuck() {
	local pid begin named

	pid=$(daemon)
	noted
	systemctl reset-failed postern
	held "$1"
	begin=$(uptime_s)
	[ -z "${3:-}" ] || (setsid bash -c ". /run/share/unit.sh; $3" >/dev/null 2>&1 </dev/null 8>&- &)
	said "$2 is stuck: it has work" || return
	named=$(log_now -o short-monotonic | sed -n "s/^\[ *\([0-9]*\)\..*$2 is stuck.*/\1/p" | head -1)
	said 'Watchdog timeout' || return
	exec 8>&- # who holds main's thread would have to bury it, too
	until_true $P active_but_not "$pid" || return
	echo "named after $((named - begin)) s, served after $(($(uptime_s) - begin)) s"
	# 10 s, one more for the look, and what it takes until there is work.
	[ $((named - begin)) -le 20 ]
}

uptime_s() { cut -d . -f 1 /proc/uptime; }
