// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/health.h"

#include "gw/daemon/handshakes.h"

#include <stdio.h>

unsigned health_read(const struct daemon *daemon, struct health_sign signs[HEALTH_THREADS_MAX])
{
	unsigned count = 0;

	// Main and the workers always take turns.
	signs[count++] =
		(struct health_sign){.progress = __atomic_load_n(&daemon->turns, __ATOMIC_RELAXED)};
	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		signs[count++] =
			(struct health_sign){.progress = dp_worker_heartbeat(daemon->dp, i)};
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++) {
		uint64_t progress = up_loop_progress(daemon->loop[i]);

		signs[count++] = (struct health_sign){.progress = progress,
			.idle = progress % 2 && !dp_loop_pending(dp_loop(daemon->dp, i))};
	}
	for (unsigned i = 0; i < dp_slow_count(daemon->dp); i++) {
		uint64_t progress = handshakes_progress(daemon->handshakes, i);

		signs[count++] = (struct health_sign){.progress = progress,
			.idle = progress % 2 && !dp_slow_pending(dp_slow(daemon->dp, i))};
	}
	return count;
}

void health_name(const struct daemon *daemon, unsigned thread, char name[HEALTH_NAME_MAX])
{
	const unsigned workers = dp_worker_count(daemon->dp);

	if (!thread)
		snprintf(name, HEALTH_NAME_MAX, "main");
	else if (thread <= workers)
		snprintf(name, HEALTH_NAME_MAX, "worker %u", thread - 1);
	else if (thread <= workers + daemon->conf->workers.loops)
		snprintf(name, HEALTH_NAME_MAX, "loop %u", thread - 1 - workers);
	else
		snprintf(name, HEALTH_NAME_MAX, "handshakes %u",
			thread - 1 - workers - daemon->conf->workers.loops);
}

void health_look(
	struct health *health, const struct health_sign *signs, unsigned count, uint64_t now_ms)
{
	const bool blind = now_ms - health->looked_ms > HEALTH_LOOK_MS;
	const uint64_t stuck_ms = health->stuck_ms ? health->stuck_ms : HEALTH_STUCK_MS;
	unsigned stuck = 0;

	health->looked_ms = now_ms;
	for (unsigned i = 0; i < count; i++) {
		if (blind || signs[i].idle || signs[i].progress != health->thread[i].progress)
			health->thread[i].since_ms = now_ms;
		health->thread[i].progress = signs[i].progress;
		const bool is_stuck = now_ms - health->thread[i].since_ms >= stuck_ms;

		__atomic_store_n(&health->thread[i].stuck, is_stuck, __ATOMIC_RELAXED);
		stuck += is_stuck;
	}
	__atomic_store_n(&health->stuck, stuck, __ATOMIC_RELAXED);
}
