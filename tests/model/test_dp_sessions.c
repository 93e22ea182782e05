// SPDX-License-Identifier: BSD-3-Clause
// Sessions of several devices with several workers, on a network and before backends that do their
// worst, with a main that is late and a clock that is set, against a model that is simple enough to
// be believed:
//
// - which packets are accepted is foretold from plain sets of Partial IVs, packet by packet;
// - a nonce of a gateway key seals one answer ever, over all restarts of a device's context;
// - an answer opens under the request that it answers, and goes to where that came from;
// - it is piggybacked if there was no empty ACK before it, else a message of its own, whose bytes
//   never change and whose message id comes not again within EXCHANGE_LIFETIME;
// - an accepted request has one answer, sooner or later, unless its device is removed first; if its
//   context drains it has one under its keys before they are gone;
// - counters, exchanges and packet buffers add up, and what counts as under way is.
//
// POSTERN_SEED=n replays a run, packet by packet: keys of hashes, Echo values and the time at which
// the gateway starts follow from it, too. POSTERN_STEPS=n makes it longer.

#include "tests/model/sessions.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
#define STEPS 200000
#else
#define STEPS 1600000 // for a million packets
#endif
#define SETTLE 10000 // steps between two rests

struct bed bed;
struct model_device devices[DEVICES];
struct model_request history[HISTORY];
uint32_t serial;
unsigned queued;
uint64_t clock_ms;
uint64_t accepted, dispatched, local_answers, frames, floods;
struct held held[WORKERS * BED_EXCHANGES];
unsigned held_count;
bool whole_names;
unsigned batch = 1;
int64_t wall_ms;
bool wall_stands;
int64_t wall_used;
uint32_t set_serial;
bool leaving;
uint64_t seed;
unsigned step;

// What the gateway asks of libsodium, for a seed to replay all of it.
static const char *seeded_name(void)
{
	return "seeded";
}

static void seeded_buf(void *const buf, const size_t len)
{
	uint8_t from[randombytes_SEEDBYTES] = {0};
	static uint64_t times;

	memcpy(from, &seed, sizeof(seed));
	times++;
	memcpy(from + sizeof(seed), &times, sizeof(times));
	randombytes_buf_deterministic(buf, len, from);
}

static uint32_t seeded_random(void)
{
	uint32_t random;

	seeded_buf(&random, sizeof(random));
	return random;
}

static struct randombytes_implementation seeded = {
	.implementation_name = seeded_name,
	.random = seeded_random,
	.buf = seeded_buf,
};

// The gateway's clock begins at a time that follows from the seed, often just before 2^32 ms, and
// goes on only as the model lets it.
static uint64_t begin_ms;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = (time_t)(begin_ms / 1000);
	now->tv_nsec = (long)(begin_ms % 1000 * 1000000);
	return 0;
}

// Faults stop: every device gets an answer to a request of its own.
static void settle(void)
{
	turn();
	while (held_count)
		respond(0);
	wall_stands = false;
	whole_names = true;
	for (unsigned i = 0; i < DEVICES; i++)
		wall_used = RTE_MAX(wall_used, devices[i].clock_next >> DP_CLOCK_BITS);
	wall_ms = RTE_MAX(wall_ms, 1000 * wall_used);
	later();
	pass(BED_TIMEOUT_MS + 1000);
	later();
	for (unsigned i = 0; i < DEVICES; i++) {
		struct model_device *d = &devices[i];
		struct model_request *r;
		unsigned tries = 0;

		if (!d->there) {
			device_keys(d);
			device_add(d, true);
		}
		do {
			// A device without Echo first has to pass its mark.
			must(tries++ < (d->no_echo ? 3 + DP_MARK_AHEAD : 3),
				"device %u gets no answer", i);
			pass(1000);
			r = make_request(i, d->next++, true);
			send_request(r);
			turn();
			while (held_count)
				respond(0);
			later();
		} while (!r->answered);
	}
	whole_names = false;
	for (unsigned i = 0; i < HISTORY; i++)
		must(ended(&history[i]), "a request was never answered");
	// Separate answers that nobody acknowledges end, too: after 93 s at most.
	for (unsigned i = 0; i < 40; i++) {
		pass(2500);
		turn();
	}
	for (unsigned i = 0; i < WORKERS; i++)
		must(dp_worker_exchanges_free(bed.dp, i) == BED_EXCHANGES, "exchanges are missing");
	must(accepted == dispatched + local_answers, "%lu %lu %lu", accepted, dispatched,
		local_answers);
	must(frames ==
			bed_count(&bed, DP_STAT_answers) +
				bed_count(&bed, DP_STAT_rx_duplicates_answered) +
				bed_count(&bed, DP_STAT_rx_duplicates_acked) +
				bed_count(&bed, DP_STAT_acks_sent) +
				bed_count(&bed, DP_STAT_tx_retransmits) +
				bed_count(&bed, DP_STAT_rx_errors_sent) +
				bed_count(&bed, DP_STAT_rx_format_rst),
		"every frame sent was counted");
}

static void tell(unsigned count)
{
	printf("# %u steps, %lu packets, %lu accepted, %lu handed on, %lu answers, %lu copies "
	       "answered, %lu challenges, %lu timeouts\n",
		count, bed_count(&bed, DP_STAT_rx_packets), accepted, dispatched,
		bed_count(&bed, DP_STAT_answers), bed_count(&bed, DP_STAT_rx_duplicates_answered),
		bed_count(&bed, DP_STAT_rx_challenges), bed_count(&bed, DP_STAT_exchange_timeouts));
	printf("# %lu separate answers, %lu retransmissions, %lu ACKs, %lu RSTs, %lu given up\n",
		bed_count(&bed, DP_STAT_answers_separate), bed_count(&bed, DP_STAT_tx_retransmits),
		bed_count(&bed, DP_STAT_rx_acks), bed_count(&bed, DP_STAT_rx_rsts),
		bed_count(&bed, DP_STAT_answers_given_up));
	printf("# %lu refused for what is under way, %lu for the rate\n",
		bed_count(&bed, DP_STAT_in_flight_refused), bed_count(&bed, DP_STAT_rate_refused));
	printf("# %lu copies would have got another answer\n",
		bed_count(&bed, DP_STAT_drop_duplicate_differs));
	printf("# %lu floods of copies between workers, %lu suspicions\n", floods,
		bed_count(&bed, DP_STAT_rx_suspicions));
	printf("# %lu handed over, %lu refused by the clock, %lu dropped of a context that is "
	       "gone\n",
		bed_count(&bed, DP_STAT_handed_over),
		bed_count(&bed, DP_STAT_drop_clock) + bed_count(&bed, DP_STAT_drop_own_piv_spent),
		bed_count(&bed, DP_STAT_drop_context_gone));
	printf("# %lu contexts moved to another worker\n", bed_count(&bed, DP_STAT_contexts_moved));
}

Test(dp_sessions, agree_with_the_model)
{
	const char *text = getenv("POSTERN_SEED");
	const char *steps = getenv("POSTERN_STEPS");
	unsigned count = steps ? strtoul(steps, NULL, 0) : STEPS;

	if (text)
		seed = strtoull(text, NULL, 0);
	else
		randombytes_buf(&seed, sizeof(seed));
	rnd_seed(seed);
	const bool affinity_kid = rnd(2);

	cr_assert_eq(randombytes_set_implementation(&seeded), 0);
	begin_ms = rnd(4) ? 100000 + rnd(UINT64_C(1) << 34)
			  : (UINT64_C(1) << 32) - rnd(UINT64_C(1) << 24);

	bed_make_workers(&bed, WORKERS, affinity_kid);
	bed_stop_clock(&bed); // the model knows no other time than its own
	dp_contexts(bed.dp)->clock.read = wall_read;
	wall_ms = 1000000000;
	// Here exchanges are to run out; the overload ladder, which is there to prevent that, has
	// tests of its own.
	bed_never_overloaded(&bed);
	dp_run_grant(bed.dp, 1);
	for (unsigned i = 0; i < DEVICES; i++) {
		devices[i].flow = bed.flow;
		devices[i].flow.remote_port = rte_cpu_to_be_16(40000 + i);
		devices[i].queue = i % WORKERS;
		devices[i].by_clock = i % 6 == 5;
		devices[i].own_piv = i % 6 == 2;
		devices[i].no_echo = i % 5 == 4;
		// Four in a row: one by itself, two with one kid, of which the second of the last
		// four has no ID Context, and one whose kid is its own.
		devices[i].contextual = i % 4 && i != 10;
		devices[i].namesake = i % 4 == 1 ? &devices[i + 1]
			: i % 4 == 2             ? &devices[i - 1]
						 : NULL;
		devices[i].seen = calloc(1, PIVS);
		must(devices[i].seen, "memory");
		device_keys(&devices[i]);
		device_add(&devices[i], i % 2);
	}
	for (step = 0; step < count; step++) {
		one_step();
		if (step % SETTLE == SETTLE - 1)
			settle();
	}
	settle();
	tell(count);
	must(affinity_kid || count < STEPS ||
			bed_count(&bed, DP_STAT_contexts_moved) > count / 1600,
		"contexts follow their packets");
	bed_free(&bed);
	for (unsigned i = 0; i < DEVICES; i++)
		free(devices[i].seen);
}
