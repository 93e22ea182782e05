// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/slow.h"

#include <assert.h>
#include <string.h>

bool dp_slow_put(struct dp_copy_ring *ring, const struct dp_slow_head *head, const uint8_t *coap)
{
	struct dp_slow_head *at = dp_copy_ring_put(ring, sizeof(*head) + head->len);

	if (!at)
		return false;
	*at = *head;
	memcpy(at->coap, coap, head->len);
	dp_copy_ring_publish(ring);
	return true;
}

bool dp_slow_answer(struct dp_slow *slow, unsigned worker, const struct dp_flow *flow,
	const uint8_t *coap, uint16_t len)
{
	const struct dp_slow_lane *lane = &slow->lane[worker];
	const struct dp_slow_head head = {.flow = *flow, .len = len, .worker = (uint8_t)worker};

	assert(worker < slow->count);
	if (!dp_slow_put(lane->answers, &head, coap))
		return false;
	__atomic_fetch_or(lane->called, UINT64_C(1) << slow->thread, __ATOMIC_RELEASE);
	return true;
}

bool dp_slow_pending(const struct dp_slow *slow)
{
	for (unsigned i = 0; i < slow->count; i++)
		if (!dp_copy_ring_empty(slow->lane[i].requests))
			return true;
	return false;
}
