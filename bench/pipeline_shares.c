// SPDX-License-Identifier: BSD-3-Clause
// What one device, or a stranger with its kid, takes from others.

#include "bench/pipeline_shares.h"

#include "bench/core_clock.h"
#include "bench/pipeline_bed.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>

#define EXCHANGES     8192
#define HELD          7500 // unacknowledged answers; more is overload
#define LATE_MS       600  // of a backend, so that its answer is separate
#define HONEST        1000 // devices
#define HOSTILE       10   // of so many packets one is of an honest device
#define HONEST_MS     20   // that their backend takes
#define MAX_IN_FLIGHT 16   // the default of devices.max_in_flight

// Requests at the backend, in the order in which they came.
struct backend {
	dp_handle handle[EXCHANGES];
	uint64_t due_ms[EXCHANGES];
	unsigned head, tail; // free running
};

static void backend_put(struct backend *backend, dp_handle handle, uint64_t due_ms)
{
	unsigned at = backend->tail++ % EXCHANGES;

	backend->handle[at] = handle;
	backend->due_ms[at] = due_ms;
}

// Answers what is due: how many.
static unsigned backend_answer(struct backend *backend, struct dp_loop_port *port, uint64_t now_ms)
{
	unsigned n = 0;

	for (; backend->head != backend->tail; backend->head++, n++) {
		unsigned at = backend->head % EXCHANGES;
		struct dp_shared *shared = dp_shared_get(port->pool, backend->handle[at]);

		if (backend->due_ms[at] > now_ms)
			break;
		if (!shared)
			bed_die("the worker took an exchange back from its backend");
		dp_shared_response(shared)[0] = COAP_CHANGED;
		shared->response.len = 1;
		dp_loop_respond(port, backend->handle[at]);
	}
	return n;
}

static uint64_t count(const struct bed *bed, enum dp_stat stat)
{
	return dp_stat_read(&bed->w->stats, stat);
}

static void turn(struct bed *bed, uint64_t ms)
{
	bed->w->ms_start += ms;
	dp_worker_turn(bed->w);
	bed_drain(0);
}

// Least core cycles of a forged copy for each of two devices, in bursts that take turns.
static void forged_cycles(struct bed *bed, unsigned rounds, double cycles[2])
{
	uint64_t replays = count(bed, DP_STAT_drop_replay);

	// Sealed, so that the request is sound, but no message id of before.
	for (unsigned i = 0; i < bed->packet_count; i++) {
		bed_packet_seal(&bed->packet[i], &bed->device[i / DP_BURST % 2], HELD - 1 - i % 32,
			COAP_CON, "up");
		bed->packet[i].coap[2] ^= 0x80;
	}
	for (unsigned round = 0; round < rounds; round++) {
		struct core_clock clock = {0};
		uint64_t ticks[2] = {0};

		for (unsigned i = 0; i < bed->packet_count; i += DP_BURST) {
			bed_feed(bed, 0, i, DP_BURST);
			uint64_t start = rte_rdtsc();

			dp_worker_turn(bed->w);
			ticks[i / DP_BURST % 2] += rte_rdtsc() - start;
			bed_drain(0);
			if (i / DP_BURST % 32 == 0)
				core_clock_sample(&clock);
		}
		for (unsigned k = 0; k < 2; k++) {
			double all = ticks[k] * core_clock_cycles_per_tick(&clock);

			if (!round || all / (bed->packet_count / 2) < cycles[k])
				cycles[k] = all / (bed->packet_count / 2);
		}
	}
	if (count(bed, DP_STAT_drop_replay) - replays != (uint64_t)rounds * bed->packet_count)
		bed_die("a forged copy was not dropped as a replay");
}

void copies_measure(bool json, unsigned rounds)
{
	static struct backend backend;
	struct bed bed;
	dp_handle handle;
	double cycles[2];

	bed_make(&bed, &(struct bed_conf){.device_count = 2, .exchanges = EXCHANGES});
	struct dp_loop_port *port = &dp_loop(bed.dp, 0)->port[0];

	backend = (struct backend){0};
	for (unsigned device = 0; device < 2; device++)
		osc_window_open_at(&dp_contexts(bed.dp)->context[bed.context[device]].window, 0);
	for (unsigned i = 1; i < HELD; i++) {
		bed_packet_seal(&bed.packet[0], &bed.device[0], i, COAP_CON, "up");
		bed_feed(&bed, 0, 0, 1);
		turn(&bed, 0);
		if (!dp_loop_receive(port, &handle, 1))
			bed_die("a request did not reach the backend");
		backend_put(&backend, handle, 0);
	}
	// The empty ACKs, and what the backend says then.
	turn(&bed, LATE_MS);
	for (unsigned i = 0; i < HELD && count(&bed, DP_STAT_acks_sent) < HELD - 1; i++)
		turn(&bed, 0);
	backend_answer(&backend, port, UINT64_MAX);
	for (unsigned i = 0; i < HELD && dp_worker_unacked(bed.dp, 0) < HELD - 1; i++)
		turn(&bed, 0);
	if (dp_worker_unacked(bed.dp, 0) != HELD - 1)
		bed_die("not every answer waits for its ACK");
	for (unsigned i = 0; i < 2; i++)
		osc_window_open_at(&dp_contexts(bed.dp)->context[bed.context[i]].window, HELD - 1);
	// No retransmission falls due meanwhile.
	bed.w->tsc_per_ms = UINT64_MAX;
	forged_cycles(&bed, rounds, cycles);

	if (dp_worker_unacked(bed.dp, 0) != HELD - 1)
		bed_die("answers were given up meanwhile");
	if (json)
		printf("{\"bench\":\"pipeline\",\"traffic\":\"copies\",\"held\":%d,"
		       "\"cycles_per_packet\":%.1f,\"cycles_with_none_held\":%.1f}\n",
			HELD - 1, cycles[0], cycles[1]);
	else
		printf("%-12s %5d unacknowledged answers  %6.0f cycles a forged copy, %.0f with "
		       "none\n",
			"copies", HELD - 1, cycles[0], cycles[1]);
	bed_free(&bed);
}

void neighbour_measure(bool json)
{
	static struct backend quick, slow;
	dp_handle handles[DP_BURST];
	struct bed bed;
	uint64_t now_ms = 0;
	unsigned honest = 0, answered = 0;

	bed_make(&bed,
		&(struct bed_conf){.device_count = 1 + HONEST,
			.exchanges = EXCHANGES,
			.max_in_flight = MAX_IN_FLIGHT});
	struct dp_loop_port *port = &dp_loop(bed.dp, 0)->port[0];

	quick = slow = (struct backend){0};
	for (unsigned i = 0; i < bed.packet_count; i++) {
		bool good = i % HOSTILE == 0;
		unsigned device = good ? 1 + honest % HONEST : 0;

		bed_packet_seal(&bed.packet[i], &bed.device[device],
			1 + (good ? honest / HONEST : i), COAP_CON, "up");
		honest += good;
	}
	// A burst each millisecond. Device 0 acknowledges nothing, and its backend is slow.
	for (unsigned i = 0; i < bed.packet_count + HONEST_MS * DP_BURST; i += DP_BURST) {
		if (i < bed.packet_count)
			bed_feed(&bed, 0, i, DP_BURST);
		turn(&bed, 1);
		now_ms++;
		unsigned n = dp_loop_receive(port, handles, DP_BURST);

		for (unsigned k = 0; k < n; k++) {
			const struct dp_shared *shared = dp_shared_get(port->pool, handles[k]);

			if (shared->request.context == bed.context[0])
				backend_put(&slow, handles[k], now_ms + LATE_MS);
			else
				backend_put(&quick, handles[k], now_ms + HONEST_MS - 1);
		}
		answered += backend_answer(&quick, port, now_ms);
		backend_answer(&slow, port, now_ms);
	}
	double goodput = 100.0 * answered / honest;
	uint64_t refused = count(&bed, DP_STAT_in_flight_refused);

	if (json)
		printf("{\"bench\":\"pipeline\",\"traffic\":\"neighbour\",\"honest_devices\":%d,"
		       "\"honest_goodput\":%.2f,\"refused\":%lu,\"no_exchange\":%lu}\n",
			HONEST, goodput, refused, count(&bed, DP_STAT_exchange_none_free));
	else
		printf("%-12s %5d honest devices  %6.2f %% of their requests answered beside one "
		       "that sends %d times as much and acknowledges nothing (%lu refused)\n",
			"neighbour", HONEST, goodput, HOSTILE - 1, refused);
	if (goodput < 95)
		bed_die("the honest devices got less than 95 %");
	bed_free(&bed);
}
