// SPDX-License-Identifier: BSD-3-Clause
// Main's part of RFC 8613 appendix B.2, with workers, rings and a thread as they are. The test is
// in the place of the device and of the store, whose ends are wrapped by the linker.

#include "gw/daemon/handshakes.h"
#include "gw/daemon/reserve.h"
#include "gw/os/log.h"
#include "tests/unit/dataplane/worker/dp_bed.h"
#include "tests/unit/gw/handshake/peer.h"

#include <criterion/criterion.h>
#include <sched.h>

#define KID       9
#define TURNS_MAX 100000

static struct bed bed;
static struct daemon gateway;
static const uint8_t shard_key[SHARD_KEY_LEN] = {7};
static struct conf conf = {.handshakes = {.threads = 2, .rate = 1000, .device_rate = 1000}};
static struct peer peer;
static struct b2_device known;     // what the vault has
static struct device_keyed stored; // what the store has
static struct store_job *submitted;
static struct peer_message one, two;
static struct bed_answer answer;

void __wrap_store_thread_submit(struct store_thread *thread, struct store_job *job);
void __wrap_store_thread_submit(struct store_thread *thread, struct store_job *job)
{
	cr_assert_null(submitted, "one group at a time");
	submitted = job;
}

static unsigned warnings;

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
	warnings += level == CONF_LOG_WARNING;
}

bool __wrap_vault_open(
	struct vault *vault, const uint8_t *kid, uint8_t len, struct vault_device *device);
bool __wrap_vault_open(
	struct vault *vault, const uint8_t *kid, uint8_t len, struct vault_device *device)
{
	if (len != 1 || kid[0] != KID)
		return false;
	*device = (struct vault_device){
		.id = known.id, .rederived = (uint32_t)known.count, .params = known.params};
	return true;
}

static void init(void)
{
	bed_make(&bed);
	peer_make(&peer, &known, KID);
	gateway = (struct daemon){.dp = bed.dp, .conf = &conf};
	conf.devices.max = BED_DEVICES;
	cr_assert_eq(registry_init(&gateway.registry, bed.dp, BED_DEVICES), 0);
	gateway.reserve = reserve_new(&gateway);
	stored = (struct device_keyed){
		.id = known.id,
		.name = "d",
		.alg = known.params.alg,
		.window_known = true,
		.device_id_len = 1,
		.device_id = {KID},
		.gateway_id_len = 2,
		.gateway_id = {0xaa, KID},
		.rederive = DEVICE_REDERIVE_B2,
	};
	cr_assert_eq(osc_derive(&stored.keys, &known.params), 0);
	cr_assert_eq(registry_add(&gateway.registry, &stored), 0);
	cr_assert_eq(handshakes_start(&gateway, shard_key), 0);
	submitted = NULL;
}

static void fini(void)
{
	handshakes_stop(gateway.handshakes);
	handshakes_free(gateway.handshakes);
	reserve_free(gateway.reserve);
	registry_fini(&gateway.registry);
	peer_free(&peer);
	bed_free(&bed);
}

TestSuite(handshakes, .init = init, .fini = fini, .timeout = 120);

static void send_message(const struct peer_message *message)
{
	bed_send(&bed, &bed.flow, message->bytes, message->len);
	bed_turn(&bed);
}

static bool receive(void)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		bed_turn(&bed);
		if (bed_receive(&bed, &answer))
			return true;
		sched_yield();
	}
	return false;
}

// Runs the protocol up to a request #2 with main.
static void run_to_store(uint16_t mid)
{
	peer_request_1(&peer, &one, mid);
	send_message(&one);
	cr_assert(receive());
	cr_assert(peer_response_1(&peer, &one, peer.r1, sizeof(peer.r1), answer.coap, answer.len));
	peer_request_2(&peer, &two, mid + 1);
	send_message(&two);
	for (unsigned i = 0; i < TURNS_MAX && !submitted; i++) {
		handshakes_turn(gateway.handshakes);
		sched_yield();
	}
	cr_assert_not_null(submitted);
}

// What the store does with the group: this result, and a device with the new keys if that is 0.
static void store_ends(int job_result, int result)
{
	struct store_rederive_job *job = (struct store_rederive_job *)submitted;
	struct store_rederivation *item = &job->rederivation[0];

	cr_assert_eq(job->count, 1);
	cr_assert_eq(item->id, known.id);
	cr_assert_eq(item->rederived, known.count);
	submitted = NULL;
	job->job.result = job_result;
	item->result = result;
	item->device = stored;
	item->device.rederived++;
	item->device.has_id_context = true;
	item->device.id_context_len = item->id_context_len;
	memcpy(item->device.id_context, item->id_context, item->id_context_len);
	struct osc_params params = known.params;

	params.has_id_context = true;
	params.id_context_len = item->id_context_len;
	memcpy(params.id_context, item->id_context, item->id_context_len);
	cr_assert_eq(osc_derive(&item->device.keys, &params), 0);
	if (!job_result && !result) {
		stored = item->device;
		known.count++;
		known.params = params;
	}
	job->job.done(&job->job);
}

static void later(void)
{
	bed_later(&bed, 1000);
	bed_run_clock(&bed);
}

static void no_event(void *arg, const struct dp_event *event)
{
}

static uint64_t served(void)
{
	return bed_count(&bed, DP_STAT_rx_requests);
}

Test(handshakes, nothing_is_published_before_it_is_durable)
{
	run_to_store(1);
	bed_turn(&bed);
	cr_expect_eq(served(), 0);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->pending, 1);
	// Copies are dropped meanwhile.
	send_message(&two);
	while (!handshakes_stat(gateway.handshakes, HANDSHAKE_STAT_b2_pending))
		sched_yield();
	cr_expect_eq(served(), 0);
	store_ends(0, 0);
	bed_turn(&bed);
	cr_expect_eq(served(), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_reinjected), 1);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->contexts, 1);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->pending, 0);
	// From now on a copy is one of the worker's.
	send_message(&two);
	cr_expect_eq(served(), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_handshakes), 3);
	while (bed_receive(&bed, &answer))
		;
}

Test(handshakes, what_the_disk_does_not_take_is_not_published_and_its_copy_goes_on)
{
	run_to_store(1);
	store_ends(-EIO, 0);
	bed_turn(&bed);
	cr_expect_eq(served(), 0);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->refused, 1);
	send_message(&two);
	for (unsigned i = 0; i < TURNS_MAX && !submitted; i++) {
		handshakes_turn(gateway.handshakes);
		sched_yield();
	}
	cr_assert_not_null(submitted);
	store_ends(0, 0);
	bed_turn(&bed);
	cr_expect_eq(served(), 1);
	while (bed_receive(&bed, &answer))
		;
}

// A group that failed may be on the disk all the same, as the store learns when it can write again.
Test(handshakes, a_write_that_failed_and_is_there_locks_no_device_out)
{
	run_to_store(1);
	struct osc_params params = known.params;
	const struct store_rederivation *item =
		((struct store_rederive_job *)submitted)->rederivation;

	params.has_id_context = true;
	params.id_context_len = item->id_context_len;
	memcpy(params.id_context, item->id_context, item->id_context_len);
	store_ends(-EIO, 0);
	cr_expect(gateway.disk.failing, "an alarm, and a probe, without which it stays broken");
	// What the store has, and says of the next run.
	stored.window_known = false;
	stored.rederived = known.count + 1;
	stored.has_id_context = true;
	stored.id_context_len = params.id_context_len;
	memcpy(stored.id_context, params.id_context, params.id_context_len);
	cr_assert_eq(osc_derive(&stored.keys, &params), 0);
	cr_expect_not(registry_has(&gateway.registry, &stored));
	later();
	run_to_store(3);
	struct store_rederive_job *job = (struct store_rederive_job *)submitted;

	submitted = NULL;
	job->rederivation[0].result = -ESTALE;
	job->rederivation[0].device = stored;
	job->job.result = 0;
	job->job.done(&job->job);
	cr_expect_not(gateway.disk.failing);
	bed_turn(&bed);
	cr_expect_eq(served(), 0);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->overtaken, 1);
	cr_expect(registry_has(&gateway.registry, &stored), "and with it the count in the vault");
	// From here on the thread has that count, too.
	stored.window_known = true;
	known.count++;
	known.params = params;
	later();
	run_to_store(5);
	store_ends(0, 0);
	bed_turn(&bed);
	cr_expect_eq(served(), 1);
	while (bed_receive(&bed, &answer))
		;
}

// Its request #2 is good until the count of the device rises: it may send it again all the time.
Test(handshakes, a_device_cannot_fill_the_log)
{
	run_to_store(1);
	for (unsigned i = 0; i < 20; i++) {
		store_ends(i & 1 ? -ENOSPC : 0, -ERANGE);
		later();
		send_message(&two);
		for (unsigned n = 0; n < TURNS_MAX && !submitted; n++) {
			handshakes_turn(gateway.handshakes);
			sched_yield();
		}
		cr_assert_not_null(submitted);
	}
	cr_expect_eq(handshakes_stats(gateway.handshakes)->refused, 20);
	cr_expect_geq(warnings, 1);
	cr_expect_leq(warnings, 3);
	store_ends(0, 0);
}

Test(handshakes, what_the_store_refuses_of_one_device_is_not_published)
{
	run_to_store(1);
	store_ends(0, -ERANGE);
	bed_turn(&bed);
	cr_expect_eq(served(), 0);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->refused, 1);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->pending, 0);
}

Test(handshakes, a_device_that_changed_meanwhile_is_left_alone)
{
	run_to_store(1);
	store_ends(0, -ENOENT);
	bed_turn(&bed);
	cr_expect_eq(served(), 0);
	cr_expect_eq(handshakes_stats(gateway.handshakes)->overtaken, 1);
}

Test(handshakes, contexts_follow_each_other)
{
	for (unsigned i = 0; i < 20; i++) {
		later();
		run_to_store((uint16_t)(10 * i + 1));
		store_ends(0, 0);
		cr_assert(receive());
		cr_expect_eq(answer.msg.mid, 10 * i + 2);
		cr_expect_eq(served(), i + 1);
		dp_poll(bed.dp, no_event, NULL);
		registry_turn(&gateway.registry);
	}
}
