// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_observe.h"

#include "bench/pipeline_bed.h"
#include "bench/pipeline_row.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/shared/change.h"
#include "dataplane/worker/observers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS     64
#define PAYLOAD   32 // bytes
#define TURNS_MAX 200000
#define CHANGES   3 // of the four that may come at once

static uint32_t publish(struct bed *bed, uint8_t content)
{
	static const uint8_t options[] = {0xb6, 'c', 'a', 'c', 'h', 'e', 'd'};
	const struct dp_rep_asker asker = {.route = BED_CACHE_ID, .code = COAP_GET, .shared = true};
	struct dp_reps *reps = dp_reps(bed->dp);
	struct dp_rep_table *table = &reps->table[0];
	struct dp_rep_key key;
	struct coap_body body;

	if (coap_body_parse(&body, options, sizeof(options)) != COAP_OK ||
		!dp_rep_key_make(&key, &reps->keys, &asker, &body))
		bed_die("no key");
	struct dp_representation *rep = dp_rep_make(&key, PAYLOAD);

	if (!rep)
		bed_die("no memory");
	rep->epoch_index = dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &body));
	rep->stored_ms = bed->w->now_ms;
	rep->fresh_ms = bed->w->now_ms + 3600 * 1000;
	rep->observe_ms = rep->fresh_ms;
	rep->code = COAP_CONTENT;
	rep->content_format = 60;
	memset(rep->bytes + rep->key_len, content, PAYLOAD);
	uint32_t slot = dp_rep_place(table, key.hash, key.bytes, key.len, NULL, NULL);

	dp_rep_publish(table, slot, rep);
	return slot;
}

// As if each device had sent a request with Observe.
static void register_all(struct bed *bed, uint32_t slot)
{
	struct dp_rep_table *table = &dp_reps(bed->dp)->table[0];
	const struct dp_representation *rep = dp_rep_at(table, slot);

	for (unsigned i = 0; i < bed->device_count; i++) {
		const struct dp_context *ctx = &dp_contexts(bed->dp)->context[bed->context[i]];
		const struct dp_observer who = {
			.context = bed->context[i],
			.generation = ctx->generation,
			.flow = &bed->flow,
			.token = (const uint8_t *)"ab",
			.token_len = 2,
		};
		uint32_t index = dp_rep_pin(table, slot, rep->hash)
			? dp_observation_add(bed->w->observations, &who, slot, 1)
			: DP_OBSERVATION_NONE;

		if (index == DP_OBSERVATION_NONE)
			bed_die("an observer does not fit");
		struct dp_observation *o = dp_observation_at(bed->w->observations, index);

		o->kid_len = 4;
		memcpy(o->kid, bed->device[i].kid, 4);
		o->piv = 1;
		o->version = rep->version;
		o->format = rep->content_format;
		o->con_s = bed->w->now_ms / 1000;
		o->rate_at = dp_bucket_now(bed->w->now_ms);
		__atomic_store_n(
			&dp_contexts(bed->dp)->context[bed->context[i]].owner, 0, __ATOMIC_RELEASE);
	}
}

static double thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

// Turns until all have been told. Returns the sum of the turns in milliseconds, and sets the 99.9th
// percentile of them in microseconds.
static double tell(struct bed *bed, uint32_t slot, uint8_t content, double *p999_us)
{
	static double turn[TURNS_MAX];
	uint64_t before = bed->w->stats.count[DP_STAT_notifications];
	unsigned n = 0;
	double sum = 0;

	publish(bed, content);
	dp_change_tell(&dp_reps(bed->dp)->table[0], slot, dp_loop(bed->dp, 0));
	while (bed->w->stats.count[DP_STAT_notifications] - before < bed->device_count) {
		if (n == TURNS_MAX)
			bed_die("not every observer was told");
		double start = thread_us();

		dp_worker_turn(bed->w);
		turn[n] = thread_us() - start;
		sum += turn[n++];
		bed_drain(0);
	}
	qsort(turn, n, sizeof(turn[0]), compare);
	*p999_us = turn[n - 1 - n / 1000];
	return sum / 1e3;
}

static void measure(bool json, unsigned rounds, unsigned devices)
{
	double ms = 0, p999_us = 0;
	struct bed bed;

	bed_make(&bed,
		&(struct bed_conf){.device_count = devices,
			.exchanges = 1024,
			.representations = SLOTS,
			.observations = devices});
	dp_run_grant(bed.dp, 1);
	uint32_t slot = publish(&bed, 0);

	register_all(&bed, slot);
	for (unsigned i = 0; i < RTE_MIN(rounds, (unsigned)CHANGES); i++) {
		double turns_us, took_ms = tell(&bed, slot, i + 1, &turns_us);

		if (!ms || took_ms < ms) {
			ms = took_ms;
			p999_us = turns_us;
		}
	}
	if (json)
		printf("{\"bench\":\"pipeline\",\"traffic\":\"observe\",\"devices\":%u,\"ms\":%.1f,"
		       "\"ns\":%.0f,\"turn_p999_us\":%.0f}\n",
			devices, ms, ms * 1e6 / devices, p999_us);
	else
		printf("%-12s %-16s %8u  %6.1f ms, %.0f ns each, 99.9 %% of turns within %.0f us\n",
			traffic_names[TRAFFIC_OBSERVE], "NON", devices, ms, ms * 1e6 / devices,
			p999_us);
	bed_free(&bed);
}

void observe_measure(bool json, unsigned rounds, bool quick)
{
	measure(json, rounds, quick ? 10000 : 100000);
	if (!quick)
		measure(json, rounds, 1000000);
}
