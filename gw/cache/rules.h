// SPDX-License-Identifier: BSD-3-Clause
// What a shared cache may do with an answer (RFC 9111): whether it is stored, for how long it is
// fresh, and whether it may be served stale. Pure functions: no I/O, no clock.

#ifndef POSTERN_GW_CACHE_RULES_H
#define POSTERN_GW_CACHE_RULES_H

#include "gw/cache/fields.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// What the route says.
struct cache_settings {
	bool shared;         // one answer is every device's
	bool authorized;     // its requests have Authorization
	uint32_t default_ms; // freshness of a 200 that says nothing about it; 0: that is not stored
	uint32_t max_age_max; // seconds of freshness, whatever the backend says
};

// An answer to GET or FETCH, and when it was asked for.
struct cache_answer {
	int status;
	const char *cache_control, *expires, *date, *age, *vary; // NULL: not there
	uint64_t asked_ms;    // CLOCK_MONOTONIC, of the sending of the request
	uint64_t answered_ms; // the same, of the answer
	time_t now;           // wall clock then
};

// What stays of an answer for its validation.
struct cache_validity {
	struct cache_control control;
	bool has_expires;
	bool by_default;  // of the route's default
	uint32_t expires; // seconds, from the Date of the last answer
	time_t end;       // the same as a time
};

enum cache_why {
	CACHE_STORE,
	CACHE_STATUS, // no status that is stored, or one without explicit freshness
	CACHE_NO_STORE,
	CACHE_PRIVATE,       // and the route is shared
	CACHE_AUTHORIZATION, // of the request, and the answer does not allow it (section 3.5)
	CACHE_VARY,
	CACHE_NOT_SAID, // no explicit freshness, and the route has no default
};

struct cache_verdict {
	enum cache_why why; // CACHE_STORE: the others are set
	uint64_t fresh_ms;  // CLOCK_MONOTONIC: until when; at most `answered_ms`: only validated
	uint64_t stale_until_ms; // the same: until when it may be served if the backend fails
};

// Decides about an answer. *validity is set if it is stored.
struct cache_verdict cache_decide(const struct cache_settings *settings,
	const struct cache_answer *answer, struct cache_validity *validity);

// The same for a 304 that validates what was stored with *validity, which is changed to what the
// 304 says where it says something (section 4.3.4).
struct cache_verdict cache_refresh(const struct cache_settings *settings,
	const struct cache_answer *not_modified, struct cache_validity *validity);

// Whether a stored answer may be served in the place of this one, or of none (status 0), within
// stale_until_ms (RFC 5861 section 4).
bool cache_is_failure(int status);

#endif
