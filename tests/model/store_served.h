// SPDX-License-Identifier: BSD-3-Clause
// What the workers have of the devices of a store, in the place of the data plane:
// gw/daemon/reserve.c is linked with it. Checks that no run is used twice and no request accepted
// twice.

#ifndef POSTERN_TESTS_MODEL_STORE_SERVED_H
#define POSTERN_TESTS_MODEL_STORE_SERVED_H

#include "gw/daemon/reserve.h"
#include "tests/model/store_life.h"

#define must(condition, ...)                                                       \
	do {                                                                       \
		char text_[2048];                                                  \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                       \
		cr_assert(condition, "%s: %s: %s", life_where, text_, #condition); \
	} while (0)

#define SERVED_MAX        (2 * LIFE_DEVICES)
#define SERVED_GENERATION 2 // of every context

// A device as a worker has it; its index is that of its context.
struct served {
	bool is_live, is_floor, window_known;
	unsigned key;
	uint64_t id;
	uint32_t base;
	uint64_t mark;
};

extern struct served served[SERVED_MAX];
extern struct registry_entry served_entry[SERVED_MAX];
extern bool served_run_granted;

struct device_spec life_spec(unsigned key);
unsigned life_key_of(const struct device_keyed *device);
// Takes a device in, in the place of the one that it replaces.
void served_take(const struct device_keyed *device);
// NULL if it is not served.
struct served *served_named(const char *name);
// The end of the process.
void served_forget(void);

#endif
