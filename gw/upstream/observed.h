// SPDX-License-Identifier: BSD-3-Clause
// Stored answers that devices observe (RFC 7641): what workers hear of them, and when the loop is
// to ask for them again. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_OBSERVED_H
#define POSTERN_GW_UPSTREAM_OBSERVED_H

#include "gw/upstream/cache.h"

#define UP_WATCH_CHANGED_MS 20 // between looks for what is due, where something was changed

// The route of an entry in the configuration of now; NULL: there is none any more.
const struct conf_route *up_observed_route(const struct up_loop *loop, uint64_t id, uint8_t code);
// An answer is about to be published of a route with `observe`, in this entry, if there is one:
// until when notifications may rely on it.
void up_observed_prepare(const struct up_cache_fetch *fetch, const struct up_cache_entry *entry,
	struct dp_representation *rep);
// It was published in this entry: workers hear of it if it is new, and it is watched.
void up_observed_published(struct up_loop *loop, struct up_cache_entry *entry, bool is_new);
// An entry is taken out.
void up_observed_forget(struct up_loop *loop, struct up_cache_entry *entry);
// Whether anybody observes an entry.
bool up_is_observed(const struct up_loop *loop, const struct up_cache_entry *entry);
// Something was changed through this gateway: what is observed of it is asked for at once.
void up_observed_changed(struct up_loop *loop);

#endif
