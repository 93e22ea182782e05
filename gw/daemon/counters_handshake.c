// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/counters_handshake.h"

#include "gw/daemon/handshakes.h"

#include <stddef.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *name, *help;
	bool is_gauge;
	size_t offset;
} of_main[] = {
	{"contexts", "contexts that were derived, are durable and took the place of another", false,
		offsetof(struct handshakes_stats, contexts)},
	{"contexts_refused",
		"contexts that were derived, and the store or the data plane did not take: the log "
		"says why",
		false, offsetof(struct handshakes_stats, refused)},
	{"contexts_overtaken", "contexts that were derived, and their device had changed meanwhile",
		false, offsetof(struct handshakes_stats, overtaken)},
	{"pending", "contexts that are being written to the disk", true,
		offsetof(struct handshakes_stats, pending)},
};

static const struct {
	const char *name, *help;
	bool is_gauge;
	size_t offset;
} of_sessions[] = {
	{"sessions_begun", "sessions of EDHOC that began", false,
		offsetof(struct sessions_stats, begun)},
	{"sessions_refused",
		"sessions that were agreed on and not taken: no place, or their credential has "
		"gone",
		false, offsetof(struct sessions_stats, refused)},
	{"sessions_replaced", "sessions that ended for a newer one of their credential", false,
		offsetof(struct sessions_stats, replaced)},
	{"sessions_idle", "sessions that were unused and ended for another one", false,
		offsetof(struct sessions_stats, idle)},
	{"sessions_expired",
		"sessions that ended with handshakes.max_age, or with their credential's time",
		false, offsetof(struct sessions_stats, expired)},
	{"sessions_used_up", "sessions that ended since their keys were used up", false,
		offsetof(struct sessions_stats, used_up)},
	{"sessions_lost", "sessions that ended with their credential", false,
		offsetof(struct sessions_stats, lost)},
	{"sessions", "sessions of EDHOC now", true, offsetof(struct sessions_stats, living)},
};

size_t counters_handshake_rows(const struct counters *at)
{
	return HANDSHAKE_STAT_COUNT + ROWS(of_main) + ROWS(of_sessions);
}

const char *counters_handshake_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct handshakes *handshakes = at->daemon->handshakes;

	if (row < HANDSHAKE_STAT_COUNT) {
		counter->help = handshake_stat_help(row);
		counter->value = handshakes_stat(handshakes, row);
		return handshake_stat_name(row);
	}
	row -= HANDSHAKE_STAT_COUNT;
	if (row >= ROWS(of_main)) {
		row -= ROWS(of_main);
		counter->help = of_sessions[row].help;
		counter->is_gauge = of_sessions[row].is_gauge;
		counter->value = __atomic_load_n(
			(const uint64_t *)((const char *)handshakes_sessions(handshakes) +
				of_sessions[row].offset),
			__ATOMIC_RELAXED);
		return of_sessions[row].name;
	}
	counter->help = of_main[row].help;
	counter->is_gauge = of_main[row].is_gauge;
	counter->value =
		__atomic_load_n((const uint64_t *)((const char *)handshakes_stats(handshakes) +
					of_main[row].offset),
			__ATOMIC_RELAXED);
	return of_main[row].name;
}
