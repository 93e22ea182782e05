# SPDX-License-Identifier: BSD-3-Clause
# The host's side of the labs, sourced by tests/lab/nic and tests/lab/run: a QEMU guest with emulated
# PCI NICs, commands that run in it, checks. Its caller has set ns, the network namespace that is the
# lab's own, and parts, those that are asked for.
# shellcheck shell=bash disable=SC2034,SC2154

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
here=$top/tests/lab
lab=${LAB:-$top/build/lab} # its files
share=$lab/share           # seen by both sides
vm=$lab/vm
checks=0 failed=0 qemu=
nics=()
# What each command of the guest begins with.
prelude=

[ "$(id -u)" = 0 ] || die "it wants to be root"
command -v qemu-system-x86_64 cpio >/dev/null || die "QEMU or cpio is missing: scripts/install lab"
mkdir -p "$share" "$vm"
chmod 700 "$lab"
exec 7>"$lab/lock"
flock -n 7 || die "another one uses $lab"

guest_off() {
	[ -n "$qemu" ] || return
	kill "$qemu" 2>/dev/null
	wait "$qemu" 2>/dev/null
	qemu=
}

clean() {
	guest_off
	ip netns del "$ns" 2>/dev/null
}
trap clean EXIT
trap 'exit 130' HUP INT TERM

# --- the guest

virtio="virtio-net-pci,disable-legacy=on,bus=pcie.0"

# hub N MODEL: a NIC of that model, and a virtio NIC for the device behind it. The NICs of hubs 0 to
# 2 are 00:10.0, 00:12.0 and 00:14.0.
hub() {
	local at=$((16 + 2 * $1)) mac=52:54:00:00:0$1

	nics+=(-netdev "hubport,id=d$1,hubid=$1"
		-device "$2,netdev=d$1,addr=$(printf 0x%x $at),mac=$mac:01"
		-netdev "hubport,id=p$1,hubid=$1"
		-device "$virtio,netdev=p$1,addr=$(printf 0x%x $((at + 1))),mac=$mac:02")
}

# host N SLOT MORE: a virtio NIC with two queues whose other end is the host's TAP device nictapN in
# the lab's namespace. Packets of the host's programs come with partial checksums.
host() {
	ip netns exec "$ns" ip tuntap add dev "nictap$1" mode tap multi_queue vnet_hdr
	nics+=(-netdev "tap,id=h$1,ifname=nictap$1,script=no,downscript=no,queues=2,vhost=off"
		-device "$virtio,netdev=h$1,addr=$2,mq=on,vectors=8$3,mac=52:54:00:00:1$1:01")
}

# accelerator KERNEL: KVM where it boots that kernel, up to its panic for want of a root, and else
# software; LAB_ACCEL=tcg wants the latter. MSRs that other hosts lack, and what QEMU 7.2 computes
# wrongly, are left out.
accelerator() {
	local kvm=(-M "q35,kernel-irqchip=split" -accel kvm -cpu "host,-arch-capabilities")

	accelerated=tcg
	machine=(-M q35 -accel "tcg,thread=multi" -cpu "max,-vaes")
	[ "${LAB_ACCEL:-kvm}" = kvm ] && [ -w /dev/kvm ] || return 0
	timeout 20 qemu-system-x86_64 -nodefaults -display none -no-reboot -m 512 "${kvm[@]}" -kernel "$1" \
		-append "panic=-1" </dev/null >/dev/null 2>&1 || return 0
	accelerated=kvm
	machine=("${kvm[@]}")
}

# guest OPTION...: boots it, with the NICs that were added. Its agent says when it is up.
guest() {
	guest_off
	rm -f "$share"/{up,status,out,command,now} "$vm/monitor"
	ip netns exec "$ns" nice -n "${LAB_NICE:-10}" qemu-system-x86_64 -nodefaults -display none "${machine[@]}" \
		-m 2048 -serial "file:$vm/console" \
		-monitor "unix:$vm/monitor,server,nowait" -device virtio-rng-pci \
		-fsdev "local,id=share,path=$share,security_model=none" \
		-device virtio-9p-pci,fsdev=share,mount_tag=share \
		"$@" "${nics[@]}" >"$vm/qemu.log" 2>&1 &
	qemu=$!
	guest_up
}

guest_up() {
	for ((i = 0; i < 6000; i++)); do
		[ ! -f "$share/up" ] || return 0
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.2
	done
	cat "$vm/qemu.log" "$vm/console"
	die "the guest does not come up"
}

# g COMMANDS [SECONDS]: runs them in the guest. What they print is printed; and what runs there, if they
# took longer than that, 600 by default, and were ended.
g() {
	local limit=${2:-600}

	rm -f "$share"/{status,out}
	echo "$limit" >"$share/limit"
	printf '%s\n%s\n' "$prelude" "$1" >"$share/new"
	mv "$share/new" "$share/command"
	for ((i = 0; i < (limit + 60) * 20; i++)); do
		[ ! -s "$share/status" ] || break
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.05
	done
	cat "$share/out" 2>/dev/null
	return "$(cat "$share/status" 2>/dev/null || echo 99)"
}

# monitor COMMAND: of QEMU. It takes a character at a time, and nothing more of who has gone: so we stay
# until it has a prompt behind the command.
monitor() {
	python3 - "$vm/monitor" "$1" <<-'PY'
		import socket, sys
		monitor = socket.socket(socket.AF_UNIX)
		monitor.settimeout(60)
		monitor.connect(sys.argv[1])
		said = b""
		while said.count(b"(qemu)") < 2:
		    if said.endswith(b"(qemu) ") and said.count(b"(qemu)") == 1:
		        monitor.sendall((sys.argv[2] + "\n").encode())
		        said += b"\n"
		    more = monitor.recv(4096)
		    if not more:
		        sys.exit("the monitor has closed")
		    said += more
	PY
}

# link N on|off: what the hub's NIC is plugged into.
link() { monitor "set_link d$1 $2"; }

# --- checks

# check NAME PATTERN COMMAND...: it succeeds and prints the pattern.
check() {
	local out status

	out=$("${@:3}" 2>&1)
	status=$?
	result "$1" "$2" $status "$out" $((status == 0))
}

# refused NAME PATTERN COMMAND...: it fails and says the pattern in its last line. DPDK says nothing.
refused() {
	local out status

	out=$("${@:3}" 2>&1)
	status=$?
	result "$1" "^(postern: [^"$'\n'"]*"$'\n'")*postern: [^"$'\n'"]*$2[^"$'\n'"]*\$" $status "$out" $((status != 0))
}

result() {
	checks=$((checks + 1))
	if [ "$5" = 1 ] && [[ $4 =~ $2 ]]; then
		echo "ok $checks - $1"
	else
		failed=$((failed + 1))
		echo "not ok $checks - $1"
		sed 's/^/# /' <<<"status $3, wanted like: $2"$'\n'"$4"
		! declare -F explain >/dev/null || explain
	fi
}

# part NAME COMMAND...: if it was asked for; its checks and seconds are said behind them.
part() {
	local begin=$SECONDS before=$checks before_failed=$failed

	[[ $parts == *" $1 "* ]] || return 0
	"${@:2}"
	echo "# $1: $((checks - before)) checks, $((failed - before_failed)) failed, in $((SECONDS - begin)) s"
}

# summary: the last lines, and the status of the run.
summary() {
	echo "1..$checks"
	echo "# in $SECONDS s, $accelerated; QEMU's memory: $(awk '/VmHWM/ {print int($2 / 1024)}' "/proc/$qemu/status") MB"
	echo "$((checks - failed)) passed, $failed failed"
	[ "$failed" = 0 ]
}
