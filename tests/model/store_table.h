// SPDX-License-Identifier: BSD-3-Clause
// Tables of devices of the life of a store: what is, what a verb makes of it, and what was found.

#ifndef POSTERN_TESTS_MODEL_STORE_TABLE_H
#define POSTERN_TESTS_MODEL_STORE_TABLE_H

#include "tests/model/store_life.h"

// NULL if there is none.
struct life_device *life_device_find(struct life_table *table, const char *name);
// Makes the device of this key new: in the place of the one of the same name, or behind all.
struct life_device *life_device_put(struct life_table *table, unsigned key, bool is_floor);
void life_device_drop(struct life_table *table, const char *name);
// Completes a device that was put by what the store says of it.
void life_device_told(struct life_table *table, const struct device_keyed *device);
// Whether the second has the devices of the first, as far as they are known of it; with their keys,
// if `keys`.
bool life_table_alike(struct life_table *table, struct life_table *other, bool keys);
// Prints a table, for a failure.
void life_table_tell(const char *what, const struct life_table *table);

#endif
