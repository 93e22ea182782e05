// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/publish.h"

#include "gw/upstream/lost.h"
#include "gw/upstream/snapshot.h"

#include <string.h>

// Whether it may be published here: as is_current() asks of what a server answered.
static bool is_ours(const struct up_loop *loop, const struct up_cache_whose *whose)
{
	return loop->cache && up_cache_has_route(loop, whose->route->cache.id) &&
		(whose->context == DP_INDEX_NONE ||
			up_device_is_there(loop, whose->context, whose->generation));
}

static void entry_given(struct up_cache *cache, struct up_cache_entry *entry)
{
	entry->began = ++cache->clock;
	entry->validity = (struct cache_validity){0};
	entry->stale_until_ms = 0;
	entry->etag[0] = entry->last_modified[0] = 0;
}

enum up_published up_publish(struct up_loop *loop, const struct up_publication *p)
{
	struct up_cache *cache = loop->cache;
	const struct dp_representation *before;

	if (!is_ours(loop, &p->whose))
		return UP_PUBLISHED_NOT;
	if (p->payload_len > up_cache_largest(cache, p->whose.context, p->key))
		return UP_PUBLISHED_TOO_LARGE;
	up_cache_find(cache, p->key, &before);
	bool first = !before || COAP_CODE_CLASS(before->code) != 2;
	struct dp_representation *rep = dp_rep_make(p->key, (uint32_t)p->payload_len);

	if (!rep)
		return UP_PUBLISHED_NO_ROOM;
	rep->code = COAP_CONTENT;
	rep->content_format = p->content_format;
	rep->stored_ms = loop->now_ms;
	rep->fresh_ms = p->max_age_s ? loop->now_ms + p->max_age_s * UINT64_C(1000) : UINT64_MAX;
	rep->observe_ms = rep->fresh_ms;
	rep->max_age_s = loop->snapshot->conf->observe.max_age_ms / 1000;
	rep->refresh_ms = p->whose.route->observe.poll_ms;
	rep->epoch_index = p->epoch_index;
	rep->epoch = dp_rep_epoch(cache->reps, p->epoch_index);
	memcpy(rep->bytes + rep->key_len, p->payload, p->payload_len);
	up_cache_etag_make(loop, rep);
	struct up_cache_entry *entry = up_cache_publish(loop, &p->whose, p->key, rep);

	if (!entry)
		return UP_PUBLISHED_NO_ROOM;
	entry_given(cache, entry);
	return first ? UP_PUBLISHED_FIRST : UP_PUBLISHED_REPLACED;
}

// The entry stays, so that no answer is stored that was asked for before.
bool up_unpublish(struct up_loop *loop, const struct dp_rep_key *key)
{
	const struct dp_representation *before;
	struct up_cache_entry *entry =
		loop->cache ? up_cache_find(loop->cache, key, &before) : NULL;

	if (!entry || COAP_CODE_CLASS(before->code) != 2)
		return false;
	struct dp_representation *rep = dp_rep_make(key, 0);

	if (!rep) {
		up_cache_drop(loop, entry); // who observes it hears of that, later
		return true;
	}
	rep->code = COAP_NOT_FOUND;
	rep->content_format = DP_REP_NO_FORMAT;
	rep->stored_ms = loop->now_ms;
	rep->observe_ms = UINT64_MAX;
	rep->epoch_index = before->epoch_index;
	rep->epoch = dp_rep_epoch(loop->cache->reps, rep->epoch_index);
	entry_given(loop->cache, entry);
	up_cache_replace(loop, entry, rep);
	return true;
}
