// SPDX-License-Identifier: BSD-3-Clause
// Representations that a service gives by itself, without being asked: it pushes them, or tells
// them in a stream. They are stored, served and observed like what a server answers. Private to the
// loop.

#ifndef POSTERN_GW_UPSTREAM_PUBLISH_H
#define POSTERN_GW_UPSTREAM_PUBLISH_H

#include "gw/upstream/cache.h"

#include <stddef.h>
#include <stdint.h>

struct up_publication {
	struct up_cache_whose whose; // shared: context DP_INDEX_NONE, so that it is no device's
	const struct dp_rep_key *key;
	uint32_t epoch_index;    // of the path, see dp_rep_epoch_index()
	uint16_t content_format; // or DP_REP_NO_FORMAT
	uint32_t max_age_s;      // how long it is good; 0: until something else is there
	const uint8_t *payload;
	size_t payload_len; // bytes
};

enum up_published {
	UP_PUBLISHED_FIRST,    // nothing was there
	UP_PUBLISHED_REPLACED, // something was, or that it is gone
	UP_PUBLISHED_TOO_LARGE,
	UP_PUBLISHED_NO_ROOM, // observed entries have the room, or there is no memory
	UP_PUBLISHED_NOT,     // the route has its home elsewhere, or the device is gone
};

// Publishes a 2.05 in the place of what the key has; who observes it is notified if it differs.
// What a server was asked for before is not stored any more. The payload is copied.
enum up_published up_publish(struct up_loop *loop, const struct up_publication *publication);
// Says that nothing is there any more: who observes it is notified with 4.04, and requests go to
// the service. Returns whether something was there.
bool up_unpublish(struct up_loop *loop, const struct dp_rep_key *key);

#endif
