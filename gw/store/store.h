// SPDX-License-Identifier: BSD-3-Clause
// The device store. It keeps on disk which devices there are, their sealed secrets, what their keys
// were used with, and the run numbers that own Partial IVs begin with. docs/store.md has the rules
// and the format on disk.
//
// One thread uses a store at a time. Main opens and loads it and then gives it to the store thread
// (thread.h), which calls store_start() before the first packet is taken. Every function may wait
// for the disk, and returns when what it changed is on the disk.
//
// All return 0 or -errno, with a text in *error (NULL is allowed). Callers distinguish these codes:
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
//   -EAGAIN       too many runs in this hour, or an import is being written
//   -ENOSPC, -EROFS, -EIO and others of the system

#ifndef POSTERN_GW_STORE_STORE_H
#define POSTERN_GW_STORE_STORE_H

#include "base/error.h"
#include "dataplane/oscore/own_piv.h"
#include "gw/device/device.h"
#include "gw/device/reserved.h"
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
	struct device_reserved *reserved; // names that no new device may have; outlives the store.
					  // NULL: none
	const char *machine_file;         // NULL: /etc/machine-id
	const char *boot_file;            // NULL: /proc/sys/kernel/random/boot_id
};

// Opens the store of a directory, and makes a new one if there is none. No other process can open
// it until store_close(). On success the caller owns *store. -EBUSY, -ESTALE, -EKEYREJECTED,
// -ENOTSUP, -EBADMSG, -EROFS, ...
int store_open(const struct store_config *config, struct store **store, struct error *error)
	__attribute__((warn_unused_result));
// Closes and frees; NULL is allowed. Unless store_stop() was called before, every window is unknown
// after the next start.
void store_close(struct store *store);

// Seals the store's own key under the newest key of `kek`, one of which must open it; on the disk
// on return. Nothing else changes. -EKEYREJECTED, -EIO, ...
int store_rekey(struct store *store, const struct kek *kek, struct error *error)
	__attribute__((warn_unused_result));

// Makes a copy that store_open() refuses with -ESTALE the store of this machine. Its run numbers go
// on far above all that the original can have used; *run (NULL is allowed) is the next one. All
// windows are unknown, and devices without Echo need a resync, as their marks are older than what
// the original accepted. The original must never run again.
int store_adopt(const struct store_config *config, uint32_t *run, struct error *error)
	__attribute__((warn_unused_result));

// Call it once, after store_load() and before the first packet is taken. It replaces the token file
// in the runtime directory and deletes the token of the last clean stop from the database, so that
// no other start uses the windows of that stop. A start that ends before this call leaves the
// windows to the next one. If it fails, no packet may be taken.
int store_start(struct store *store, struct error *error) __attribute__((warn_unused_result));

struct store_load_result {
	uint64_t loaded;
	uint64_t unreadable;                        // damaged rows, which were left out
	char first_unreadable[DEVICE_NAME_MAX + 1]; // name of one of them
};

// The second (Unix time) from which own Partial IVs may come from the clock: later than the present
// one, and than all that earlier starts used, or could have used.
int64_t store_clock_least(const struct store *store);
// Raises the second (Unix time) up to which own Partial IVs may come from the clock. It is on the
// disk on return; a second that is not higher than the stored one already is.
int store_clock_raise(struct store *store, int64_t clock, struct error *error)
	__attribute__((warn_unused_result));

// Calls each() with every device, in the order of their ids, and wipes *device after each()
// returns. Before store_start(), devices have the windows that the last clean stop wrote, if that
// stop ended the start just before this one, in this boot; after store_start() all windows are
// unknown. each() must not use the store. It can end the loading by returning a negative errno,
// which is returned.
int store_load(struct store *store, int (*each)(void *arg, const struct device_keyed *device),
	void *arg, struct store_load_result *result, struct error *error)
	__attribute__((warn_unused_result));

// A window for store_stop().
struct store_window {
	uint64_t id; // struct device_keyed
	struct osc_window window;
};

// The clean stop, after the last worker stopped: writes the windows that are known, for the next
// start. next() fills *window and returns true, or returns false after the last. Windows of devices
// that were removed are ignored. clock_used is the highest second (Unix time) of the clock that an
// own Partial IV was made of, 0 for none. After this only store_close() may be called.
int store_stop(struct store *store, int64_t clock_used,
	bool (*next)(void *arg, struct store_window *window), void *arg, struct error *error)
	__attribute__((warn_unused_result));

// Whether a write, commit or sync failed. From then on nothing is written, and reading may fail,
// until store_recover() succeeds. A change that failed and left the store broken may be on the
// disk.
bool store_broken(const struct store *store);
// If the store is broken, closes the database and opens it again as after a crash. What was
// returned as done is there; what failed may be there. Returns 0 if the store can be written again,
// -ESTALE if the disk has lost what it had taken, or -errno while the disk still fails.
int store_recover(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Writes a small file and removes it. Returns 0 if the disk took it, or -errno.
int store_probe(const struct store *store, struct error *error) __attribute__((warn_unused_result));

// Looks whether the files of a store that is not broken are where they were: somebody, or what
// cleans directories, may have removed them. Makes those of the runtime directory again. Returns 0;
// or breaks the store and returns -EIO if its directory is gone or the runtime directory cannot be
// made again, and -ESTALE if the database is not the file any more that was opened.
int store_look(struct store *store, struct error *error) __attribute__((warn_unused_result));

// Gives the run of this start, from 0. The first call writes to the database and to both marks that
// it is used, and returns when that is on the disk; later calls give the same run. No run is
// granted while the store is broken. -ERANGE, -EAGAIN, -EIO, ...
int store_run_grant(struct store *store, uint32_t *run, struct error *error)
	__attribute__((warn_unused_result));

// The least run_base or mark that a device shall have.
struct store_raise {
	uint64_t id; // struct device_keyed
	uint64_t value;
	int result; // set by the store: 0, -ENOENT, -EBADMSG, or as below
};

// Raise the run_bases of devices whose counters are nearly used up, and the marks of devices
// without Echo, in one transaction that is on the disk on return. A value that is not higher than
// the stored one changes nothing. Return 0 with a result for each device, or -errno if none was
// raised. The result is -ERANGE if the sum of this start's run and the base would be above
// STORE_RUN_MAX, and -EINVAL for a mark of a device that is not DEVICE_FLOOR.
int store_bases_raise(struct store *store, struct store_raise *raises, size_t count,
	struct error *error) __attribute__((warn_unused_result));
int store_marks_raise(struct store *store, struct store_raise *raises, size_t count,
	struct error *error) __attribute__((warn_unused_result));

#define STORE_REDERIVED_CONTEXT_MAX 64 // bytes of the ID Context of a run

// The context that a device derived with the gateway in a run of RFC 8613 appendix B.2, after its
// request #2 verified under it.
struct store_rederivation {
	uint64_t id;            // struct device_keyed, which is DEVICE_REDERIVE_B2
	uint32_t rederived;     // its count when the run began
	uint32_t run_base;      // the least that it shall have, see registry_next_base()
	uint8_t id_context_len; // of the new one, from 1 to STORE_REDERIVED_CONTEXT_MAX
	uint8_t id_context[STORE_REDERIVED_CONTEXT_MAX];
	int result; // set by the store: 0, or as below
	// Set by the store with result 0, for the data plane: with a window in which nothing was
	// seen; and with -ESTALE, as the row is, with its window unknown: registry_rederive()
	// takes it, and does nothing if the data plane has that context. The caller wipes it.
	struct device_keyed device;
};

// Write the new ID Contexts, with their keys and counts one higher, into the rows of the devices,
// in one transaction that is on the disk on return. Nothing may be accepted under a new context
// before that. Returns 0 with a result for each device, or -errno if none was written: then no
// context of it may be published. A store that is broken after that may have them all the same; the
// next run of such a device is -ESTALE, and tells what there is. The result is -ENOENT, -EINVAL for
// a device that derives no contexts or an ID Context that is too long, -ESTALE for another count,
// -EBADMSG, -ERANGE as for store_bases_raise(), or -EEXIST if a device has or had these keys.
int store_rederive(struct store *store, struct store_rederivation *rederivations, size_t count,
	struct error *error) __attribute__((warn_unused_result));

// The part of `device resync` that the store does. For a device that is DEVICE_ECHO nothing is
// written and `from` is not allowed. For one that is DEVICE_FLOOR it raises the mark to `from`, the
// next sequence number of the device, which is on the disk on return; a mark that is higher stays.
// *waited says whether the device could not be served before. *device is for the data plane, with
// its window unknown; the caller wipes it.
int store_resync(struct store *store, const char *name, bool has_from, uint64_t from, bool *waited,
	struct device_keyed *device, struct error *error) __attribute__((warn_unused_result));

// Adds one device, which is on the disk on return. With `replace`, a device that is there with
// other keys is retired, and one that is there with these keys and other settings gets the new
// settings; without, both fail with -EEXIST. *device is for the data plane, unless the outcome is
// DEVICE_UNCHANGED; the caller wipes it. On failure it has a name, if one is known, and nothing
// else.
int store_add(struct store *store, const struct device_spec *spec, bool replace,
	struct device_keyed *device, enum device_outcome *outcome, struct error *error)
	__attribute__((warn_unused_result));

// Gives the device of this name other keys, and other ids if spec has others; on the disk on
// return. The old keys leave tombstones. spec->name is not used. *before (NULL is allowed) is the
// device that was retired, or, on failure, was to be; its id is 0 if there was none. *device is for
// the data plane; the caller wipes it. -EEXIST if the device has these keys already.
int store_rotate(struct store *store, const char *name, const struct device_spec *spec,
	struct device_info *before, struct device_keyed *device, struct error *error)
	__attribute__((warn_unused_result));

// Removes a device by name; it is off the disk on return, and its keys leave tombstones. *info
// (NULL is allowed) is the device that was removed.
int store_remove(struct store *store, const char *name, struct device_info *info,
	struct error *error) __attribute__((warn_unused_result));

// Shows a device by name. -ENOENT
int store_show(struct store *store, const char *name, struct device_info *info, struct error *error)
	__attribute__((warn_unused_result));

// Gives a device by name as store_load() does after store_start(): its window is unknown. The
// caller wipes it. -ENOENT
int store_get(struct store *store, const char *name, struct device_keyed *device,
	struct error *error) __attribute__((warn_unused_result));

// Fills page[] with devices in the order of their names, from the first one behind `after` ("" for
// the first of all) on, at most `room`. *count is how many; if it is less than room, no more
// follow.
int store_list(struct store *store, const char *after, struct device_info *page, size_t room,
	size_t *count, struct error *error) __attribute__((warn_unused_result));

#define STORE_SHARD_KEY_LEN 32

// The key that connection identifiers of EDHOC are made under. It is the same for as long as there
// is the store, in copies of it, too. The caller wipes it.
void store_shard_key(const struct store *store, uint8_t key[STORE_SHARD_KEY_LEN]);

// How many devices there are.
uint64_t store_count(const struct store *store);

#endif
