# SPDX-License-Identifier: BSD-3-Clause
# The disk of tests/lab/run's guest, sourced by it: Debian 12 with systemd, Debian's kernel, what the
# packages depend on and what docs/install.md and docs/nics.md use. It is made by debootstrap and apt
# as the machine has them set up, and kept until that list or this file changes.
# shellcheck shell=bash disable=SC2154

guest_packages="systemd-sysv dbus udev kmod linux-image-amd64 initramfs-tools zstd adduser
	iproute2 iputils-ping openssl python3 jq curl procps ethtool tcpdump dpdk pciutils util-linux
	librte-net-e1000-23 librte-net-vmxnet3-23"
base=$lab/base
disk=$base/disk

# in_base COMMAND...: in the system that is made.
in_base() {
	unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && shift && "$@"' \
		sh "$base/root" chroot "$base/root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# image DEPENDS...: makes $disk, if it is not there yet.
image() {
	local wanted

	# shellcheck disable=SC2086 # a list
	wanted=$(printf '%s\n' $guest_packages "$@" | sort -u | xargs)
	[ "$(cat "$base/made" 2>/dev/null)" != "$wanted $(md5sum <"$here/image.sh")" ] || return 0
	echo "# making the guest's disk, once"
	mkdir -p "$base"
	rm -f "$base/made"
	if ! [ -e "$base/bootstrapped" ]; then
		rm -rf "$base/root"
		debootstrap --variant=minbase bookworm "$base/root" >"$base/log" 2>&1 ||
			die "debootstrap fails, see $base/log"
		touch "$base/bootstrapped"
	fi
	printf '#!/bin/sh\nexit 101\n' >"$base/root/usr/sbin/policy-rc.d"
	chmod 755 "$base/root/usr/sbin/policy-rc.d"
	# shellcheck disable=SC2086 # a list
	in_base sh -c 'apt-get -q update && apt-get -q install -y --no-install-recommends "$@" && apt-get clean' \
		sh $wanted >"$base/log" 2>&1 || die "apt fails, see $base/log"
	rm "$base/root/usr/sbin/policy-rc.d"
	image_settings || die "the guest cannot be set up"
	rm -f "$disk"
	mke2fs -q -t ext4 -L lab -d "$base/root" "$disk" 3G >>"$base/log" 2>&1 || die "mke2fs fails, see $base/log"
	echo "$wanted $(md5sum <"$here/image.sh")" >"$base/made"
}

image_settings() {
	local root=$base/root

	echo lab >"$root/etc/hostname"
	printf '127.0.0.1 localhost lab\n::1 localhost\n' >"$root/etc/hosts"
	echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
	[ -s "$root/etc/machine-id" ] || in_base systemd-machine-id-setup >/dev/null
	# The log of a boot that ended is kept, too.
	mkdir -p "$root/var/log/journal"
	# What is not on the disk cannot come: there is no network.
	rm -rf "$root"/var/lib/apt/lists/*
	: >"$root/etc/apt/sources.list"
	echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/50lab"
	cat >"$root/etc/systemd/system/lab.service" <<-'END'
		[Unit]
		Description=Commands of the lab's host
		After=multi-user.target
		[Service]
		ExecStartPre=/sbin/modprobe 9pnet_virtio
		ExecStartPre=/bin/mkdir -p /run/share
		ExecStartPre=/bin/mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none share /run/share
		ExecStart=/bin/bash /run/share/agent
		KillMode=mixed
		[Install]
		WantedBy=default.target
	END
	# What costs a start and has nothing to do here.
	in_base systemctl mask -q e2scrub_reap.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer \
		dpkg-db-backup.timer fstrim.timer
	mkdir -p "$root/etc/systemd/system/default.target.wants"
	ln -sf ../lab.service "$root/etc/systemd/system/default.target.wants/lab.service"
}

# boot OPTION...: the guest from this disk, of which every run begins anew. The kernel does not test its own
# ciphers: under software emulation that took long, and once had no end behind a reset.
boot() {
	local kernel

	cp "$here"/{agent,nics.sh,unit.sh} "$top"/tests/smoke/{authority.sh,backend,hold_thread} "$share/"
	kernel=$(echo "$base"/root/boot/vmlinuz-*)
	TMPDIR=$vm guest -smp 2 -kernel "$kernel" -initrd "${kernel/vmlinuz/initrd.img}" \
		-append "root=/dev/vda rw console=ttyS0 loglevel=4 intel_iommu=on no_timer_check panic=1 cryptomgr.notests" \
		-drive "if=none,id=disk,format=raw,file=$disk,snapshot=on" -device virtio-blk-pci,drive=disk,bus=pcie.0 "$@"
}
