// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/watch.h"

#include "gw/upstream/observed.h"
#include "gw/upstream/stream.h"

#define LOOK_MS  250  // between looks for what is due
#define RETRY_MS 5000 // after which is asked again, if nothing came of it
#define BURST    64   // requests that begin in one turn
#define ASKING   2 // requests for one entry at a time: one from before a change, and one behind it

// Whether an entry is to be asked for now: its time has come, or its path was changed and it was
// not asked for since.
static bool is_due(struct up_loop *loop, struct up_cache_entry *entry)
{
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, entry->slot);

	// A device that changes it all the time must not have the backend asked without bound.
	if (!rep || !up_is_observed(loop, entry) || entry->asking >= ASKING)
		return false;
	return entry->check_ms <= loop->now_ms ||
		(!dp_rep_is_current(loop->cache->reps, rep) &&
			entry->asked_ms + UP_WATCH_CHANGED_MS < loop->now_ms &&
			entry->asked_epoch != dp_rep_epoch(loop->cache->reps, rep->epoch_index));
}

void up_watch_turn(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;
	struct up_cache_entry *entry, *next;
	unsigned n = 0;

	if (!cache || TAILQ_EMPTY(&cache->watched) || loop->now_ms < cache->look_ms)
		return;
	cache->looked_ms = loop->now_ms;
	cache->look_ms = loop->now_ms + LOOK_MS;
	for (entry = TAILQ_FIRST(&cache->watched); entry && n < BURST; entry = next) {
		next = TAILQ_NEXT(entry, of_watched);
		up_stream_follow(loop, entry, up_is_observed(loop, entry));
		if (!is_due(loop, entry))
			continue;
		const struct dp_representation *rep = dp_rep_at(cache->table, entry->slot);

		// Behind all others, so that each has its turn.
		TAILQ_REMOVE(&cache->watched, entry, of_watched);
		TAILQ_INSERT_TAIL(&cache->watched, entry, of_watched);
		entry->asked_ms = loop->now_ms;
		entry->asked_epoch = dp_rep_epoch(cache->reps, rep->epoch_index);
		entry->check_ms = loop->now_ms + RETRY_MS;
		const struct conf_route *route =
			up_observed_route(loop, entry->route, dp_rep_key_code(rep->bytes));

		n += route && up_cache_ask(loop, entry, route);
	}
	if (n == BURST)
		cache->look_ms = loop->now_ms + UP_WATCH_CHANGED_MS;
}

uint64_t up_watch_next_ms(const struct up_loop *loop)
{
	return loop->cache && !TAILQ_EMPTY(&loop->cache->watched) ? loop->cache->look_ms
								  : UINT64_MAX;
}
