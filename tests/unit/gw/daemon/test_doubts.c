// SPDX-License-Identifier: BSD-3-Clause
// Verbs that failed because of the disk, and what the data plane has once the store knows what
// became of them. The test is the store.

#include "base/container.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/reserve.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <errno.h>

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

// It was removed, and another has its ids by now.
Test(doubts, what_is_not_in_doubt_stays)
{
	struct device_info info = info_of(1, 7);

	serve(2, 7);
	doubts_put(&gateway, -EIO, "d", &info);
	answer(-ENOENT, 0, 0);
	cr_assert(is_served(2, 7));
}
