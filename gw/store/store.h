// SPDX-License-Identifier: BSD-3-Clause
// The device store: which devices there are, their sealed secrets, where their keys have been, and
// the run numbers that own Partial IVs begin with. Secrets, replay state and nonce state that must
// survive a crash all end here; docs/store.md tells the rules and the format on disk.
//
// A store is used by one thread at a time. The daemon opens and loads it, and then gives it to the
// store thread (gw/store/thread.h), which starts it before the first packet is taken. Every
// function may wait for the disk.
//
// All return 0 or -errno, and text in *error (NULL is allowed). Codes that callers tell apart:
//   -EINVAL       a value is not allowed
//   -EEXIST       name, or device_id with ID Context, is taken by a device with other parameters
//   -ENOTUNIQ     a derived key is that of another device (in either role)
//   -EKEYREVOKED  never_used, but the keys were in use here before
//   -ERANGE       the own Partial IVs of the key, or the run numbers, are used up
//   -EDQUOT       more devices than max_devices
//   -ENOENT       no such device
//   -EBUSY        another process has the store
//   -ESTALE       an old copy, or a copy from another machine: needs store_adopt()
//   -EKEYREJECTED not the key-encryption key of this store
//   -ENOTSUP      made by a newer postern
//   -EBADMSG      damaged, or not a store
//   -EAGAIN       too many runs in this hour
//   -ENOSPC, -EROFS, -EIO and others from below

#ifndef POSTERN_GW_STORE_STORE_H
#define POSTERN_GW_STORE_STORE_H

#include "dataplane/oscore/own_piv.h"
#include "gw/device/device.h"
#include "gw/device/error.h"
#include "gw/store/kek.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_COUNTER_BITS OSC_COUNTER_BITS // of an own Partial IV, behind its run
#define STORE_RUN_MAX      ((UINT32_C(1) << OSC_RUN_BITS) - 1)
#define STORE_RUNS_HOUR    60 // most runs granted in one hour
#define STORE_MARK_AHEAD   32 // mark of a device that has sent nothing yet

struct store;

struct store_config {
	const char *directory; // of devices.db and run.mark; made if missing (one level)
	const char *runtime;   // directory on a file system that a reboot empties; made if missing
	const struct kek *kek; // must outlive the store
	uint64_t max_devices;  // 0: any number
	const char *machine_file; // NULL: /etc/machine-id
	const char *boot_file;    // NULL: /proc/sys/kernel/random/boot_id
};

// Opens the store of a directory, and makes a new one if there is none. Nobody else can open it
// until store_close(). On success *store is the caller's.
// -EBUSY, -ESTALE, -EKEYREJECTED, -ENOTSUP, -EBADMSG, -EROFS, ...
int store_open(const struct store_config *config, struct store **store, struct store_error *error)
	__attribute__((warn_unused_result));
// NULL is allowed. The next start finds every window unknown unless store_stop() came before.
void store_close(struct store *store);

// For a store that store_open() refuses with -ESTALE: makes this copy the one that lives on, on
// this machine. Its run numbers go on far above all that the original can have used, *run (NULL is
// allowed) is the next one, all windows are unknown, and devices without Echo need a resync: their
// marks are older than what the original accepted. The original must never run again.
int store_adopt(const struct store_config *config, uint32_t *run, struct store_error *error)
	__attribute__((warn_unused_result));

// Once, after store_load() and before the first packet: replaces the token file in the runtime
// directory and strikes the windows of the last clean stop out, so that no other start uses them. A
// start that ends before this call leaves them to the next one. If it fails, no packet may be
// taken.
int store_start(struct store *store, struct store_error *error) __attribute__((warn_unused_result));

struct store_load_result {
	uint64_t loaded;
	uint64_t unreadable;                        // damaged rows, which were left out
	char first_unreadable[DEVICE_NAME_MAX + 1]; // name of one of them
};

// The second (Unix time) from which own Partial IVs may come from the clock: later than the present
// one, and than all that earlier starts used, or could have used.
int64_t store_clock_least(const struct store *store);
// Raises the second up to which own Partial IVs may come from the clock, synced on return. One that
// is not higher than before is durable already.
int store_clock_raise(struct store *store, int64_t clock, struct store_error *error)
	__attribute__((warn_unused_result));

// Hands every device to each(), in the order of their ids; *device is wiped after each() returns.
// Before store_start() windows are known that the last clean stop wrote, if it was the start just
// before this one, in this boot; after it none is. each() ends the loading by returning a negative
// errno, which is then returned; it must not use the store.
int store_load(struct store *store, int (*each)(void *arg, const struct device_keyed *device),
	void *arg, struct store_load_result *result, struct store_error *error)
	__attribute__((warn_unused_result));

// A window for store_stop().
struct store_window {
	uint64_t id; // struct device_keyed
	struct osc_window window;
};

// The clean stop, after the last worker stopped: stores the windows that are known, for the next
// start. next() fills *window and returns true, or returns false after the last. Windows of devices
// that are no longer there are ignored. clock_used is the highest second (Unix time) of the clock
// that an own Partial IV was made of, 0 for none. After this only store_close() is allowed.
int store_stop(struct store *store, int64_t clock_used,
	bool (*next)(void *arg, struct store_window *window), void *arg, struct store_error *error)
	__attribute__((warn_unused_result));

// Whether a write, commit or sync failed. From then on nothing is written, and reading may fail,
// until store_recover() succeeds. A verb that failed with the store broken may have been done.
bool store_broken(const struct store *store);
// Begins again as after a crash, if the store is broken: what it returned as durable is, and what
// it refused may be there. Returns 0 if it can be written again; -errno for as long as its disk is
// not sound; -ESTALE if the disk has lost what it had taken.
int store_recover(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// Whether the disk takes something at this moment: 0 or -errno.
int store_probe(const struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

// The run of this start, from 0. The first call raises and syncs it, before it returns; later calls
// give the same number. None is granted while the store is broken.
// -ERANGE, -EAGAIN, -EIO, ...
int store_run_grant(struct store *store, uint32_t *run, struct store_error *error)
	__attribute__((warn_unused_result));

// What a device is to have at least: a run_base or a mark.
struct store_raise {
	uint64_t id; // struct device_keyed
	uint64_t value;
	int result; // 0, or why not: -ENOENT, -EBADMSG, and see below
};

// Raise the run_bases of devices whose counters are nearly used up, and the marks of devices
// without Echo: all in one transaction, synced on return. A value that is not higher than the
// stored one is durable already. Return 0, with a result for each, or -errno if none was raised. A
// result is -ERANGE if this start's run and the base would be above STORE_RUN_MAX; -EINVAL for a
// mark of a device that is not DEVICE_FLOOR.
int store_bases_raise(struct store *store, struct store_raise *raises, size_t count,
	struct store_error *error) __attribute__((warn_unused_result));
int store_marks_raise(struct store *store, struct store_raise *raises, size_t count,
	struct store_error *error) __attribute__((warn_unused_result));

// What `device resync` needs of the store. DEVICE_ECHO: nothing is written, `from` is not allowed.
// DEVICE_FLOOR: raises the mark to `from`, the next sequence number of the device, synced on
// return; a mark that is higher stays. *waited: it could not be served before. *device (the caller
// wipes it) is as the data plane takes it, with its window unknown.
int store_resync(struct store *store, const char *name, bool has_from, uint64_t from, bool *waited,
	struct device_keyed *device, struct store_error *error) __attribute__((warn_unused_result));

// Adds one device, durable on return. If it is there with other keys, `replace` says whether to
// retire those, and if it is there with these keys and other settings, whether to change them in
// place (else -EEXIST). *device (the caller wipes it) is what the data plane needs; after
// DEVICE_UNCHANGED it is not for the data plane: the device that is there goes on.
int store_add(struct store *store, const struct device_spec *spec, bool replace,
	struct device_keyed *device, enum device_outcome *outcome, struct store_error *error)
	__attribute__((warn_unused_result));

// Gives the device of this name other keys, and other ids if spec says so, durable on return. The
// old keys leave tombstones. spec->name is not used. *before is what was retired (NULL is allowed),
// *device (the caller wipes it) what the data plane needs. -EEXIST if it has these keys already.
int store_rotate(struct store *store, const char *name, const struct device_spec *spec,
	struct device_info *before, struct device_keyed *device, struct store_error *error)
	__attribute__((warn_unused_result));

// Removes a device by name, durable on return; its keys leave tombstones. *info (NULL is allowed)
// is what was removed.
int store_remove(struct store *store, const char *name, struct device_info *info,
	struct store_error *error) __attribute__((warn_unused_result));

int store_show(struct store *store, const char *name, struct device_info *info,
	struct store_error *error) __attribute__((warn_unused_result));

// Devices in the order of their names, those behind `after` ("": from the first), at most `room`.
// *count is how many there are in page[]; fewer than room: no more follow.
int store_list(struct store *store, const char *after, struct device_info *page, size_t room,
	size_t *count, struct store_error *error) __attribute__((warn_unused_result));

uint64_t store_count(const struct store *store);

#endif
