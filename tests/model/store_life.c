// SPDX-License-Identifier: BSD-3-Clause
// Starts and stops of the life of a store.

#include "tests/model/store_life.h"

#include "tests/model/disk.h"
#include "tests/model/store_served.h"
#include "tests/model/store_table.h"
#include "tests/model/store_verbs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct bed life_bed;
struct life life;
char life_where[128];
const char *const life_key_device[LIFE_KEYS] = {
	"01", "02", "03", "04", "05", "06", "01", "03", "07", "07", "07"};
struct daemon life_gateway;

static struct life_table loaded;

static int load(void *arg, const struct device_keyed *device)
{
	struct life_device *to = &loaded.device[loaded.count++];

	*to = (struct life_device){.key = life_key_of(device),
		.id = device->id,
		.base = device->run_base,
		.mark = device->mark,
		.is_floor = device->recovery == DEVICE_FLOOR,
		.resync = device->resync_needed};
	strcpy(to->name, device->name);
	served_take(device);
	return 0;
}

static int open_and_load(void)
{
	struct store_load_result result;

	served_forget();
	memset(&loaded, 0, sizeof(loaded));
	memset(&life_gateway, 0, sizeof(life_gateway));
	life.starts++;
	int code = store_open(&life_bed.config, &life_bed.store, &life_bed.error);
	if (code == 0)
		code = store_load(life_bed.store, load, NULL, &result, &life_bed.error);
	if (code == 0)
		must(store_clock_least(life_bed.store) > life.clock_used,
			"a second of the clock comes again");
	if (code == 0)
		code = store_start(life_bed.store, &life_bed.error);
	if (code == 0)
		must(result.unreadable == 0, "device %s is damaged", result.first_unreadable);
	return code;
}

bool life_wake(void)
{
	bool failed_before = disk_failed();

	if (disk_is_off())
		return false;
	int code = open_and_load();
	if (code != 0 && !disk_is_off()) {
		must(disk_failed() && !failed_before, "the store opens, not %d: %s", code,
			life_bed.error.text);
		bed_close(&life_bed);
		code = open_and_load();
		must(code == 0, "the store opens, not %d: %s", code, life_bed.error.text);
	}
	if (disk_is_off()) {
		bed_close(&life_bed);
		served_forget(); // no packet is taken before the start is on the disk
		return false;
	}
	if (!life_table_alike(&life.now, &loaded, true) &&
		!life_table_alike(&life.pending, &loaded, true)) {
		life_table_tell("before", &life.now);
		life_table_tell("after", &life.pending);
		life_table_tell("loaded", &loaded);
	}
	must(life_table_alike(&life.now, &loaded, true) ||
			life_table_alike(&life.pending, &loaded, true),
		"the devices are those from before the verb or from after it");
	life.now = life.pending = loaded;
	for (size_t i = 0; i < loaded.count; i++)
		life.key[loaded.device[i].key].was_here = true;
	life_bed.store->direct_rows = 1; // so that both ways of an import are gone
	life_gateway.store_thread = store_thread_start(life_bed.store);
	cr_assert_not_null(life_gateway.store_thread);
	life_bed.store = NULL; // the thread's
	life_gateway.registry = (struct registry){.entry = served_entry, .max = SERVED_MAX};
	life_gateway.reserve = reserve_new(&life_gateway);
	cr_assert_not_null(life_gateway.reserve);
	return true;
}

static bool next_window(void *arg, struct store_window *window)
{
	size_t *at = arg;

	while (*at < SERVED_MAX && !(served[*at].is_live && served[*at].window_known))
		++*at;
	if (*at == SERVED_MAX)
		return false;
	*window = (struct store_window){
		served[*at].id, {.next = life.key[served[*at].key].accepted, .bits = UINT64_MAX}};
	++*at;
	return true;
}

void life_sleep(bool clean)
{
	size_t at = 0;
	struct store_stop_job job = {
		.next = next_window, .arg = &at, .clock_used = life.clock_used};
	bool failed_before = disk_failed();

	if (life_gateway.store_thread == NULL)
		return;
	store_stop_job_init(&job);
	if (clean && life_run_job(&job.job) != 0)
		must(disk_is_off() || (disk_failed() && !failed_before), "%s", job.job.error.text);
	store_thread_stop(life_gateway.store_thread);
	reserve_free(life_gateway.reserve);
	life_gateway.store_thread = NULL;
	life_gateway.reserve = NULL;
}

void life_restore(void)
{
	char from[160], to[160];

	snprintf(from, sizeof(from), "%s/backup.db", life_bed.top);
	snprintf(to, sizeof(to), "%s/" STORE_DB, life_bed.directory);
	cr_assert_eq(rename(from, to), 0);
	life.has_backup = false;
	life.clock_used = life.clock_used_backup;
	life.now = life.pending = life.backup;
	for (unsigned key = 0; key < LIFE_KEYS; key++)
		life.key[key].was_here = life.key[key].in_backup;
}

static void table_age(struct life_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->device[i].base != LIFE_ANY)
			table->device[i].base *= STORE_WIDE_RUN;
}

void life_age(void)
{
	bed_make_version_4(&life_bed);
	table_age(&life.now);
	table_age(&life.pending);
	for (size_t i = 0; i < life.ranges; i++) {
		life.range[i].first *= STORE_WIDE_RUN;
		life.range[i].last = life.range[i].last * STORE_WIDE_RUN + STORE_WIDE_RUN - 1;
	}
}

void life_adopt(void)
{
	int code = store_open(&life_bed.config, &life_bed.store, &life_bed.error);

	bed_close(&life_bed);
	if (code == 0 || disk_is_off())
		return;
	bool failed_before = disk_failed();
	must(failed_before || (code == -ESTALE && strstr(life_bed.error.text, "is a backup")),
		"a backup opens by adoption only, not %d: %s", code, life_bed.error.text);
	code = store_adopt(&life_bed.config, NULL, &life_bed.error);
	if (code == 0 || disk_is_off())
		return;
	must(disk_failed() && !failed_before, "adopted, not %d: %s", code, life_bed.error.text);
	code = store_adopt(&life_bed.config, NULL, &life_bed.error);
	must(code == 0, "adopted, not %d: %s", code, life_bed.error.text);
}
