// SPDX-License-Identifier: BSD-3-Clause
// Freshness and retry times of an HTTP answer, in the seconds of Max-Age.

#ifndef POSTERN_GW_MAP_FRESH_H
#define POSTERN_GW_MAP_FRESH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// For how long an answer is fresh: the least of s-maxage, max-age and Expires, minus Age. 0 for
// no-store and no-cache, without any of the three, and for values that cannot be read (RFC 9111
// section 4.2). Each header may be NULL; now is the wall clock.
uint32_t map_fresh_seconds(const char *cache_control, const char *expires, const char *date,
	const char *age, time_t now);

// Retry-After, seconds or a date (RFC 9110 section 10.2.3). false if NULL or unreadable.
bool map_retry_seconds(const char *retry_after, time_t now, uint32_t *seconds);

#endif
