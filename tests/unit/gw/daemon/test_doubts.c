// SPDX-License-Identifier: BSD-3-Clause
// Verbs that failed because of the disk, and what the data plane has once the store knows what
// became of them. The test is the store.

#include "base/container.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/reserve.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>

static struct bed bed;
static struct daemon gateway;
static struct store_job *submitted;

void __wrap_store_thread_submit(struct store_thread *thread, struct store_job *job);
void __wrap_store_thread_submit(struct store_thread *thread, struct store_job *job)
{
	cr_assert_null(submitted, "one at a time");
	submitted = job;
}

static struct device_keyed device_of(uint64_t id, uint8_t kid)
{
	return (struct device_keyed){.id = id,
		.name = "d",
		.alg = AEAD_AES_CCM_16_64_128,
		.device_id_len = 1,
		.device_id = {kid},
		.gateway_id_len = 1,
		.gateway_id = {0xff},
		.keys.sender_key = {(uint8_t)id},
		.keys.recipient_key = {(uint8_t)id, 1}};
}

static struct device_info info_of(uint64_t id, uint8_t kid)
{
	return (struct device_info){.id = id, .name = "d", .device_id_len = 1, .device_id = {kid}};
}

static bool is_served(uint64_t id, uint8_t kid)
{
	struct device_info info = info_of(id, kid);
	uint32_t index;

	return registry_find(&gateway.registry, &info, &index);
}

static void serve(uint64_t id, uint8_t kid)
{
	struct device_keyed device = device_of(id, kid);

	cr_assert_eq(registry_add(&gateway.registry, &device), 0);
}

// The store's answer about the device that it was asked for; an id of 0: it has none.
static void answer(int result, uint64_t id, uint8_t kid)
{
	doubts_turn(&gateway);
	cr_assert_not_null(submitted, "the store is asked");
	struct store_get_job *get = CONTAINER_OF(submitted, struct store_get_job, job);

	cr_assert_str_eq(get->name, "d");
	submitted = NULL;
	if (!result)
		get->device = device_of(id, kid);
	get->job.result = result;
	get->job.done(&get->job);
}

static void expect_silence(void)
{
	doubts_turn(&gateway);
	cr_assert_null(submitted, "nothing is in doubt");
}

static void set_up(void)
{
	bed_make(&bed);
	gateway.dp = bed.dp;
	cr_assert_eq(registry_init(&gateway.registry, bed.dp, BED_DEVICES), 0);
	gateway.reserve = reserve_new(&gateway);
	cr_assert_not_null(gateway.reserve);
}

static void tear_down(void)
{
	doubts_free(&gateway);
	reserve_free(gateway.reserve);
	registry_fini(&gateway.registry);
	bed_free(&bed);
}

TestSuite(doubts, .init = set_up, .fini = tear_down);

Test(doubts, only_what_the_disk_may_have_done_is_in_doubt)
{
	doubts_put(&gateway, 0, "d", NULL);
	doubts_put(&gateway, -EEXIST, "d", NULL);
	doubts_put(&gateway, -EIO, "", NULL);
	expect_silence();
}

Test(doubts, the_store_is_asked_when_its_disk_is_sound)
{
	gateway.disk.failing = true;
	doubts_put(&gateway, -EIO, "d", NULL);
	expect_silence();
	gateway.disk.failing = false;
	answer(-EIO, 0, 0);
	cr_assert(gateway.disk.failing, "it was not");
	expect_silence();
	gateway.disk.failing = false;
	answer(-ENOENT, 0, 0);
	expect_silence();
}

Test(doubts, a_device_was_added_or_not)
{
	doubts_put(&gateway, -ENOSPC, "d", NULL);
	answer(-ENOENT, 0, 0);
	cr_assert_not(is_served(1, 7));
	doubts_put(&gateway, -EIO, "d", NULL);
	answer(0, 1, 7);
	cr_assert(is_served(1, 7));
	// In the place of another with its ids.
	doubts_put(&gateway, -EIO, "d", NULL);
	answer(0, 2, 7);
	cr_assert(is_served(2, 7));
}

Test(doubts, a_device_was_removed_or_not)
{
	struct device_info info = info_of(1, 7);

	serve(1, 7);
	doubts_put(&gateway, -EIO, "d", &info);
	answer(0, 1, 7);
	cr_assert(is_served(1, 7));
	doubts_put(&gateway, -EIO, "d", &info);
	answer(-ENOENT, 0, 0);
	cr_assert_not(is_served(1, 7));
}

Test(doubts, keys_were_rotated_or_not)
{
	struct device_info info = info_of(1, 7);

	serve(1, 7);
	doubts_put(&gateway, -EIO, "d", &info);
	answer(0, 1, 7);
	cr_assert(is_served(1, 7));
	// With other ids.
	doubts_put(&gateway, -EIO, "d", &info);
	answer(0, 2, 8);
	cr_assert_not(is_served(1, 7), "nobody has its keys any more");
	cr_assert(is_served(2, 8));
}

// --- imports ----------------------------------------------------------------------------------

static struct store_import_job *import_put(void)
{
	struct store_import_job *import = store_import_job_new();

	import->in_doubt = true;
	import->devices = sodium_allocarray(STORE_IMPORT_CHUNK, sizeof(import->devices[0]));
	doubts_put_import(&gateway, import);
	return import;
}

// What the store's thread says next of an import that is with it; an id of 0: no device.
static void import_says(
	struct store_import_job *import, int result, bool in_doubt, uint64_t id, uint8_t kid)
{
	cr_assert_eq(submitted, &import->job, "it is with the store");
	submitted = NULL;
	import->count = id != 0;
	if (id)
		import->devices[0] = device_of(id, kid);
	import->in_doubt = in_doubt;
	import->job.result = result;
	import->job.done(&import->job);
}

Test(doubts, an_import_that_is_not_in_doubt_is_over)
{
	doubts_put_import(&gateway, store_import_job_new());
	expect_silence();
}

Test(doubts, what_there_is_of_an_import_is_served)
{
	struct store_import_job *import;

	serve(1, 7);
	gateway.disk.failing = true;
	import = import_put();
	expect_silence();
	gateway.disk.failing = false;
	doubts_turn(&gateway);
	import_says(import, -EIO, true, 0, 0);
	cr_assert(gateway.disk.failing, "it is not sound yet");
	expect_silence();
	gateway.disk.failing = false;
	doubts_turn(&gateway);
	import_says(import, 0, true, 2, 7);
	cr_assert_not(is_served(1, 7), "the import has replaced it");
	cr_assert(is_served(2, 7));
	import_says(import, 0, true, 3, 8);
	import_says(import, 0, false, 0, 0);
	cr_assert(is_served(3, 8));
	expect_silence();
}

// A device is asked for behind the import that may have written it.
Test(doubts, one_after_the_other)
{
	struct store_import_job *import = import_put();

	doubts_put(&gateway, -EIO, "d", NULL);
	doubts_turn(&gateway);
	doubts_turn(&gateway);
	import_says(import, 0, false, 0, 0);
	answer(0, 1, 7);
	cr_assert(is_served(1, 7));
	expect_silence();
}

// It was removed, and another has its ids by now.
Test(doubts, what_is_not_in_doubt_stays)
{
	struct device_info info = info_of(1, 7);

	serve(2, 7);
	doubts_put(&gateway, -EIO, "d", &info);
	answer(-ENOENT, 0, 0);
	cr_assert(is_served(2, 7));
}
