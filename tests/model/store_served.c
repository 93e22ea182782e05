// SPDX-License-Identifier: BSD-3-Clause
#include "tests/model/store_served.h"

#include "gw/os/log.h"
#include "tests/model/disk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct served served[SERVED_MAX];
struct registry_entry served_entry[SERVED_MAX];
bool served_run_granted;
static uint32_t run_of_start;

struct device_spec life_spec(unsigned key)
{
	struct device_spec spec =
		bed_spec(key < LIFE_SECRET ? key : LIFE_SECRET, life_key_device[key], "aa");

	spec.has_rederive = key >= LIFE_SECRET;
	spec.rederive = spec.has_rederive ? DEVICE_REDERIVE_B2 : DEVICE_REDERIVE_NONE;
	spec.params.has_id_context = key > LIFE_SECRET;
	spec.params.id_context_len = key > LIFE_SECRET;
	spec.params.id_context[0] = key > LIFE_SECRET ? key : 0;
	return spec;
}

unsigned life_key_of(const struct device_keyed *device)
{
	static struct osc_keys keys[LIFE_KEYS];
	static bool derived;
	unsigned key = 0;

	for (unsigned i = 0; !derived && i < LIFE_KEYS; i++) {
		struct device_spec spec = life_spec(i);

		cr_assert_eq(osc_derive(&keys[i], &spec.params), 0);
	}
	derived = true;
	while (key < LIFE_KEYS && memcmp(&keys[key], &device->keys, sizeof(keys[key])) != 0)
		key++;
	must(key < LIFE_KEYS, "device %s has no key that it was ever given", device->name);
	return key;
}

// The counter of a run begins at 0, so that a run is one key's once, for one device in one start.
static void range_use(const struct served *device)
{
	uint32_t run = run_of_start + device->base;

	for (size_t i = 0; i < life.ranges; i++) {
		if (life.range[i].key != device->key || run < life.range[i].first ||
			run > life.range[i].last)
			continue;
		must(life.range[i].start == life.starts && life.range[i].id == device->id,
			"run %u of key %u is granted twice", run, device->key);
		return;
	}
	must(run <= STORE_RUN_MAX && life.ranges < LIFE_RANGES, "run %u", run);
	life.range[life.ranges].key = device->key;
	life.range[life.ranges].first = life.range[life.ranges].last = run;
	life.range[life.ranges].start = life.starts;
	life.range[life.ranges++].id = device->id;
}

static struct served *served_find(uint64_t id)
{
	for (size_t i = 0; i < SERVED_MAX; i++)
		if (served[i].is_live && served[i].id == id)
			return &served[i];
	return NULL;
}

void served_take(const struct device_keyed *device)
{
	struct served *old = served_find(device->replaces);
	unsigned key = life_key_of(device);
	size_t i = 0;

	if (old != NULL)
		old->is_live = false;
	if (device->recovery == DEVICE_FLOOR && device->resync_needed)
		return;
	if (device->window_known)
		must(device->window.next >= life.key[key].accepted,
			"window of key %u: requests would be accepted again", key);
	else if (device->recovery == DEVICE_FLOOR)
		must(device->mark >= life.key[key].accepted,
			"mark %lu of key %u: requests would be accepted again", device->mark, key);
	while (served[i].is_live)
		i++;
	served[i] = (struct served){true, device->recovery == DEVICE_FLOOR, device->window_known,
		key, device->id, device->run_base, device->mark};
	served_entry[i] =
		(struct registry_entry){.id = device->id, .generation = SERVED_GENERATION};
	strcpy(served_entry[i].name, device->name);
	if (served_run_granted)
		range_use(&served[i]);
}

struct served *served_named(const char *name)
{
	for (size_t i = 0; i < SERVED_MAX; i++)
		if (served[i].is_live && strcmp(served_entry[i].name, name) == 0)
			return &served[i];
	return NULL;
}

void life_traffic(void)
{
	for (size_t i = 0; i < SERVED_MAX; i++) {
		uint64_t *accepted = &life.key[served[i].key].accepted;

		if (!served[i].is_live)
			continue;
		if (served[i].is_floor) {
			*accepted = *accepted > served[i].mark ? *accepted : served[i].mark;
			served[i].window_known = true;
		} else if (served[i].window_known ||
			served_run_granted) { // the answer to a challenge
			++*accepted;
			served[i].window_known = true;
		}
	}
}

// What gw/daemon/reserve.c tells the workers. After the power is cut nothing leaves the machine.

void __wrap_dp_run_grant(struct dp *dp, uint32_t run);
void __wrap_dp_run_grant(struct dp *dp, uint32_t run)
{
	if (disk_is_off())
		return;
	must(!served_run_granted || run == run_of_start, "a start has one run");
	served_run_granted = true;
	run_of_start = run;
	for (size_t i = 0; i < SERVED_MAX; i++)
		if (served[i].is_live)
			range_use(&served[i]);
}

int __wrap_dp_run_base_raise(
	struct dp *dp, uint32_t context, uint32_t generation, uint32_t run_base);
int __wrap_dp_run_base_raise(
	struct dp *dp, uint32_t context, uint32_t generation, uint32_t run_base)
{
	if (disk_is_off())
		return 0;
	served[context].base = run_base;
	if (served_run_granted)
		range_use(&served[context]);
	return 0;
}

int __wrap_dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark);
int __wrap_dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark)
{
	if (disk_is_off())
		return 0;
	must(mark >= served[context].mark, "marks only rise");
	served[context].mark = mark;
	life_traffic();
	return 0;
}

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
}

void served_forget(void)
{
	memset(served, 0, sizeof(served));
	memset(served_entry, 0, sizeof(served_entry));
	served_run_granted = false;
}
