// SPDX-License-Identifier: BSD-3-Clause
// The life of a store, as the daemon leads it: gw/store with its thread, gw/daemon/reserve.c, and
// in the place of the data plane a model that knows every own Partial IV that may have left and
// every sequence number that may have been accepted. Each verb checks what it is told against the
// model; one that fails must have met a fault of the disk, must have done nothing, and must succeed
// when it is repeated, unless the power is cut.

#ifndef POSTERN_TESTS_MODEL_STORE_LIFE_H
#define POSTERN_TESTS_MODEL_STORE_LIFE_H

#include "tests/unit/gw/store/bed.h"

#define LIFE_KEYS    11
#define LIFE_SECRET  8 // key of a device that derives contexts; those behind it are of its secret
#define LIFE_DEVICES 8
#define LIFE_RANGES  512
#define LIFE_ANY     (-1)

struct life_device {
	char name[8]; // its device_id in hex
	unsigned key;
	uint64_t id;  // 0: not told yet
	int64_t base; // LIFE_ANY: not told yet
	int64_t mark; // the same
	bool is_floor, resync;
};

struct life_table {
	struct life_device device[LIFE_DEVICES];
	size_t count;
};

// All that outlives a process. Plain data: a copy is a copy.
struct life {
	struct life_table now;
	// What the verb under way makes of it: while the power is cut, either may be there.
	struct life_table pending;
	struct life_table backup; // what the copy has, if has_backup
	bool has_backup;
	unsigned starts;
	int64_t clock_used;        // highest second that an own Partial IV may be of
	int64_t clock_used_backup; // the same of the copy
	struct {
		bool was_here, in_backup; // in some device
		uint64_t accepted;        // no sequence number from here on was
	} key[LIFE_KEYS];
	// Own Partial IVs that may have left: of which key and runs, in which start, for which
	// device. A start has one run, or as many as a wide one has.
	struct {
		unsigned key, start;
		uint32_t first, last;
		uint64_t id;
	} range[LIFE_RANGES];
	size_t ranges;
};

extern struct bed life_bed;
extern struct life life;
// What is told of a failure: where it was.
extern char life_where[128];
// The device_id of a key, in hex; the name of its device.
extern const char *const life_key_device[LIFE_KEYS];

// Opens, starts and loads the store, whose devices must be those of life.now or life.pending. False
// if the power is cut.
bool life_wake(void);
// Requests of all devices come in and are accepted as far as may be.
void life_traffic(void);
void life_grant(void);
// Own Partial IVs are made of a second far ahead, for which it has to be durable.
void life_clock(int64_t seconds);
void life_raise_mark(const char *name, uint64_t mark);
void life_raise_base(const char *name, uint32_t base);
// Each key is one of its device's, see life_key_device. A gateway_seq of LIFE_ANY is never_used.
void life_add(unsigned key, int64_t gateway_seq);
void life_remove(const char *name);
void life_rotate(unsigned key);
void life_resync(const char *name, uint64_t from);
// The device of LIFE_SECRET derives the context of this key, the one behind that which it has; its
// runs go on at this base, or at that which it has if that is higher.
void life_rederive(unsigned key, uint32_t base);
struct life_row {
	unsigned key;
	bool is_floor;
	int64_t gateway_seq;
};
// Devices that are there with other keys are replaced.
void life_import(const struct life_row *rows, size_t count);
void life_check(void);
// Into backup.db beside the directory of the store.
void life_backup(void);
// Puts the backup in the place of the store, which is not open.
void life_restore(void);
// Makes the store, which is not open, one of version 4, as if all up to now had been done by that:
// what were runs are wide ones.
void life_age(void);
// Adopts what was put back, unless that was done already.
void life_adopt(void);
// The clean stop, or only the end of the process.
void life_sleep(bool clean);
// The keys of devices that are no longer there are not taken as new.
void life_tombstones(void);

#endif
