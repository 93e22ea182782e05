// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/answers.h"

// How long a ring lasts that is written at this rate, at most as long as an answer is of use.
static uint32_t kept_ms(uint64_t ring_bytes, uint64_t written, uint64_t elapsed_ms)
{
	uint64_t ms = written ? ring_bytes * elapsed_ms / written : ANSWERS_KEPT_MAX_MS;

	return ms < ANSWERS_KEPT_MAX_MS ? ms : ANSWERS_KEPT_MAX_MS;
}

bool answers_look(struct answers_watch *watch, uint64_t now_ms, uint64_t ring_bytes,
	const uint64_t *written, unsigned workers)
{
	uint64_t elapsed_ms = now_ms - watch->looked_ms;
	uint32_t least = ANSWERS_KEPT_MAX_MS;

	if (watch->looked_ms && elapsed_ms < ANSWERS_LOOK_MS)
		return watch->alarm;
	for (unsigned i = 0; i < workers; i++) {
		uint64_t since = watch->looked_ms ? written[i] - watch->written[i] : 0;

		watch->kept_ms[i] = kept_ms(ring_bytes, since, elapsed_ms);
		watch->written[i] = written[i];
		if (watch->kept_ms[i] < least)
			least = watch->kept_ms[i];
	}
	watch->looked_ms = now_ms;
	if (least < ANSWERS_ENOUGH_MS)
		watch->short_ms = now_ms;
	if (least < ANSWERS_SHORT_MS)
		watch->alarm = true;
	else if (now_ms - watch->short_ms >= ANSWERS_CALM_MS)
		watch->alarm = false;
	return watch->alarm;
}
