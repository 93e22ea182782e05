# SPDX-License-Identifier: BSD-3-Clause
# For benchmarks that need the daemon as it ships, on two cores: sourced first, it starts the script
# again in namespaces of its own, which go with it, and then has the functions of the smoke tests'
# bed (tests/smoke/harness.sh). The sender is on the first CPU of this machine, the worker on the
# second.
# shellcheck shell=bash
# shellcheck disable=SC2034 # what those who source it use

if [ -z "${BENCH_BED:-}" ]; then
	bench_top=$(cd "$(dirname "$0")/.." && while ! [ -e scripts/lib.sh ]; do cd ..; done && pwd)
	[ "$(id -u)" = 0 ] || { echo "$0: network namespaces want root" >&2; exit 1; }
	[ "$(nproc)" -ge 2 ] || { echo "$0: two cores are needed" >&2; exit 1; }
	export BENCH_BED=1 SMOKE_TOP=$bench_top SMOKE_BUILD=${BUILD:-$bench_top/build}
	export BENCH_FROM=$PWD
	[ -x "$SMOKE_BUILD/bench/postern-load" ] || { echo "$0: build first" >&2; exit 1; }
	# shellcheck disable=SC2086 # two words, or none
	exec ${BENCH_FIRST:+setsid -w} unshare --mount --net --pid --fork --kill-child --mount-proc \
		bash "$(realpath "$0")" "$@"
fi
. "$SMOKE_TOP/tests/smoke/harness.sh"
trap '[ $? = 0 ] || show_logs' EXIT

gateway_wait=300 # a million devices take a while on a busy machine
sender_core=0 worker_core=1

# first on, first off: with BENCH_FIRST=1 in the environment the bed comes before everything else on
# this machine in between, so that a busy machine shows nearly what a quiet one does.
first() {
	[ -n "${BENCH_FIRST:-}" ] || return 0
	if [ "$1" = on ]; then echo -20; else echo 0; fi >/proc/self/autogroup
}
postern_load=$SMOKE_BUILD/bench/postern-load

# bed_config PORT: a configuration with the builtin routes and this port, such as "af_packet: wan".
bed_config() {
	config '{path: /discard, to: "builtin:discard"}, {path: /echo, to: "builtin:echo"}'
	sed -i "s,tap: dtap0,$1,; s,cores: \[0\],cores: [$worker_core],; s,max: 65536,max: 1048576," \
		$T/postern.yaml
}

# A veth from wan, the port's, to dtap0 in the namespace dev. Software cannot leave checksums to it.
bed_veth() {
	ip link add wan type veth peer name dtap0 netns dev
	ip link set wan up
	dev ip link set dtap0 up
	# An AF_PACKET port copies. The kernel, whose way to the devices is the kernel TAP, drops
	# its own.
	echo 1 >/proc/sys/net/ipv4/conf/wan/rp_filter
	wan_mac=$(ip -j link show wan | jq -r '.[0].address')
}

# CPU seconds that threads of a process with this name have used.
cpu_seconds() {
	awk -v name="$2" -v hertz="$(getconf CLK_TCK)" '$2 ~ name { t += $14 + $15 } END { print t / hertz }' \
		/proc/"$1"/task/*/stat
}
