// SPDX-License-Identifier: BSD-3-Clause
#include "tests/model/store_table.h"

#include "tests/model/store_served.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct life_device *life_device_find(struct life_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->device[i].name, name) == 0)
			return &table->device[i];
	return NULL;
}

// Of the same name, or a new one.
struct life_device *life_device_put(struct life_table *table, unsigned key, bool is_floor)
{
	struct life_device *device = life_device_find(table, life_key_device[key]);

	if (device == NULL)
		device = &table->device[table->count++];
	*device = (struct life_device){
		.key = key, .base = LIFE_ANY, .mark = LIFE_ANY, .is_floor = is_floor};
	strcpy(device->name, life_key_device[key]);
	return device;
}

void life_device_drop(struct life_table *table, const char *name)
{
	struct life_device *device = life_device_find(table, name);

	*device = table->device[--table->count];
}

// What the store told of a device that is new.
void life_device_told(struct life_table *table, const struct device_keyed *device)
{
	struct life_device *there = life_device_find(table, device->name);

	must(there != NULL && life_key_of(device) == there->key, "%s is there", device->name);
	there->id = device->id;
	there->base = device->run_base;
	there->mark = device->mark;
}

static bool device_alike(const struct life_device *device, const struct life_device *other)
{
	return (device->id == other->id || device->id == 0) &&
		(device->base == other->base || device->base == LIFE_ANY) &&
		(device->mark == other->mark || device->mark == LIFE_ANY) &&
		device->is_floor == other->is_floor && device->resync == other->resync;
}

// With the keys, if they are known of the second one.
bool life_table_alike(struct life_table *table, struct life_table *other, bool keys)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct life_device *device = life_device_find(table, other->device[i].name);

		if (device == NULL || !device_alike(device, &other->device[i]) ||
			(keys && device->key != other->device[i].key))
			return false;
	}
	return table->count == other->count;
}

void life_table_tell(const char *what, const struct life_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		fprintf(stderr, "%s: %s: key %u, id %lu, base %ld, mark %ld%s%s\n", what,
			table->device[i].name, table->device[i].key, table->device[i].id,
			table->device[i].base, table->device[i].mark,
			table->device[i].is_floor ? ", floor" : "",
			table->device[i].resync ? ", resync" : "");
}
