// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/look.h"

#include "dataplane/dp_inside.h"
#include "dataplane/port/headers.h"
#include "dataplane/shared/quiescent.h"

#include <sodium.h>
#include <stdlib.h>

#define RINGS_BYTES    (16u << 20) // of all workers, if that is enough for RING_BYTES_MIN each
#define RING_BYTES_MAX (4u << 20)
#define RING_BYTES_MIN (1u << 20)
#define ENDING_MAX     4 // looks that wait until no worker holds them

static size_t ring_bytes(unsigned workers)
{
	size_t bytes = RING_BYTES_MAX;

	while (bytes > RING_BYTES_MIN && bytes * workers > RINGS_BYTES)
		bytes /= 2;
	return bytes;
}

static void look_free(struct dp_look *look)
{
	for (unsigned i = 0; i < look->worker_count; i++)
		dp_copy_ring_free(look->worker[i].ring);
	free(look);
}

static struct dp_look *look_make(unsigned workers, const struct dp_look_conf *conf)
{
	struct dp_look *look = calloc(1, sizeof(*look) + workers * sizeof(look->worker[0]));
	bool made = true;

	if (!look)
		return NULL;
	look->plain = conf->plain;
	look->has_port = conf->has_port;
	look->port_id = conf->port_id;
	look->context = conf->context;
	look->generation = conf->generation;
	look->source_family = conf->source_family;
	memcpy(look->source, conf->source, sizeof(look->source));
	look->left = conf->packets;
	look->worker_count = workers;
	for (unsigned i = 0; i < workers; i++) {
		look->worker[i].ring = dp_copy_ring_create(ring_bytes(workers));
		made &= look->worker[i].ring != NULL;
	}
	if (made)
		return look;
	look_free(look);
	return NULL;
}

int dp_look_begin(struct dp *dp, enum dp_look_kind kind, const struct dp_look_conf *conf)
{
	unsigned ending = 0;

	dp_look_turn(dp);
	for (const struct dp_look *look = dp->looks_ending; look; look = look->next)
		ending++;
	if (dp->look[kind] || ending >= ENDING_MAX)
		return -EBUSY;
	struct dp_look *look = look_make(dp->worker_count, conf);

	if (!look)
		return -ENOMEM;
	__atomic_store_n(&dp->look[kind], look, __ATOMIC_RELEASE);
	return 0;
}

void dp_look_end(struct dp *dp, enum dp_look_kind kind)
{
	struct dp_look *look = dp->look[kind];

	if (!look)
		return;
	__atomic_store_n(&dp->look[kind], NULL, __ATOMIC_RELEASE);
	look->token = rte_rcu_qsbr_start(dp->qsbr);
	look->next = dp->looks_ending;
	dp->looks_ending = look;
}

bool dp_look_turn(struct dp *dp)
{
	struct dp_look **at = &dp->looks_ending, *look;

	while ((look = *at) != NULL) {
		if (dp->running && !dp_quiescent_since(dp->qsbr, look->token)) {
			at = &look->next;
			continue;
		}
		*at = look->next;
		look_free(look);
	}
	return dp->looks_ending != NULL;
}

// The ring with the oldest record, and that, or NULL. All records begin with their time.
static struct dp_copy_ring *oldest(struct dp *dp, enum dp_look_kind kind, const uint64_t **record)
{
	struct dp_look *look = dp->look[kind];
	struct dp_copy_ring *found = NULL;
	uint32_t len;

	*record = NULL;
	for (unsigned i = 0; look && i < look->worker_count; i++) {
		const uint64_t *tsc = dp_copy_ring_peek(look->worker[i].ring, &len);

		if (tsc && (!*record || *tsc < **record)) {
			*record = tsc;
			found = look->worker[i].ring;
		}
	}
	return found;
}
_Static_assert(!offsetof(struct dp_copy, tsc) && !offsetof(struct dp_trace_event, tsc), "in front");

const struct dp_copy *dp_look_peek(struct dp *dp)
{
	const uint64_t *record;

	dp->look_oldest[DP_LOOK_CAPTURE] = oldest(dp, DP_LOOK_CAPTURE, &record);
	return (const struct dp_copy *)record;
}

void dp_look_pop(struct dp *dp)
{
	dp_copy_ring_pop(dp->look_oldest[DP_LOOK_CAPTURE]);
}

const struct dp_trace_event *dp_look_trace_peek(struct dp *dp)
{
	const uint64_t *record;

	dp->look_oldest[DP_LOOK_TRACE] = oldest(dp, DP_LOOK_TRACE, &record);
	return (const struct dp_trace_event *)record;
}

void dp_look_trace_pop(struct dp *dp)
{
	dp_copy_ring_pop(dp->look_oldest[DP_LOOK_TRACE]);
}

uint64_t dp_look_lost(const struct dp *dp, enum dp_look_kind kind)
{
	const struct dp_look *look = dp->look[kind];
	uint64_t lost = 0;

	for (unsigned i = 0; look && i < look->worker_count; i++)
		lost += dp_copy_ring_lost(look->worker[i].ring);
	return lost;
}

static void udp_write(uint8_t *p, const struct dp_copy *copy, const uint8_t *addresses,
	unsigned addresses_len, uint16_t from, uint16_t to)
{
	const uint16_t len = UDP_LEN + copy->len;
	uint16_t checksum;

	memcpy(p, &from, 2);
	memcpy(p + 2, &to, 2);
	store_be16(p + 4, len);
	store_be16(p + 6, 0);
	uint64_t sum = sum_add(0, addresses, addresses_len) + htons(IPPROTO_UDP) + htons(len);

	checksum = sum_finish(sum_add(sum_add(sum, p, UDP_LEN), copy->bytes, copy->len));
	if (!checksum)
		checksum = UINT16_MAX;
	memcpy(p + 6, &checksum, 2);
}

unsigned dp_look_headers(const struct dp_copy *copy, uint8_t headers[DP_LOOK_HEADERS])
{
	struct dp_flow flow = {0};
	const bool in = copy->kind == DP_COPY_PLAIN_IN;
	const uint16_t len = UDP_LEN + copy->len;
	unsigned at, addr_len;

	memcpy(&flow, copy->endpoint, DP_ENDPOINT_LEN);
	memset(headers, 0, DP_LOOK_HEADERS);
	if (flow.family == 4) {
		at = 12;
		addr_len = 4;
		headers[0] = 4 << 4 | IPV4_LEN_MIN / 4;
		store_be16(headers + 2, IPV4_LEN_MIN + len);
		store_be16(headers + 6, IPV4_DONT_FRAGMENT);
		headers[8] = HOP_LIMIT;
		headers[9] = IPPROTO_UDP;
	} else {
		at = 8;
		addr_len = 16;
		headers[0] = 6 << 4;
		store_be16(headers + 4, len);
		headers[6] = IPPROTO_UDP;
		headers[7] = HOP_LIMIT;
	}
	memcpy(headers + at, in ? flow.remote_addr : flow.local_addr, addr_len);
	memcpy(headers + at + addr_len, in ? flow.local_addr : flow.remote_addr, addr_len);
	if (flow.family == 4) {
		uint16_t checksum = sum_finish(sum_add(0, headers, IPV4_LEN_MIN));

		memcpy(headers + 10, &checksum, 2);
	}
	udp_write(headers + at + 2 * addr_len, copy, headers + at, 2 * addr_len,
		in ? flow.remote_port : flow.local_port, in ? flow.local_port : flow.remote_port);
	return at + 2 * addr_len + UDP_LEN;
}
