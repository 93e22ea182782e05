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

size_t counters_handshake_rows(const struct counters *at)
{
	return HANDSHAKE_STAT_COUNT + ROWS(of_main);
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
	counter->help = of_main[row].help;
	counter->is_gauge = of_main[row].is_gauge;
	counter->value =
		__atomic_load_n((const uint64_t *)((const char *)handshakes_stats(handshakes) +
					of_main[row].offset),
			__ATOMIC_RELAXED);
	return of_main[row].name;
}
