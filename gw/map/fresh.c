// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/fresh.h"

#include "gw/cache/fields.h"

#include <string.h>

uint32_t map_fresh_seconds(const char *cache_control, const char *expires, const char *date,
	const char *age, time_t now)
{
	uint32_t least = UINT32_MAX, seconds, passed = 0;
	bool said = false;
	struct cache_directive d;
	time_t end, start;

	while (cache_control && cache_directive_next(&cache_control, &d)) {
		if (cache_directive_is(&d, "no-store") || cache_directive_is(&d, "no-cache"))
			return 0;
		if (!cache_directive_is(&d, "max-age") && !cache_directive_is(&d, "s-maxage"))
			continue;
		if (!d.value || !cache_seconds_read(d.value, d.value_len, &seconds))
			return 0;
		said = true;
		least = seconds < least ? seconds : least;
	}
	if (expires) {
		if (!cache_date_read(expires, &end))
			return 0;
		if (!date || !cache_date_read(date, &start))
			start = now;
		said = true;
		seconds = cache_seconds_between(start, end);
		least = seconds < least ? seconds : least;
	}
	if (!said)
		return 0;
	if (age && !cache_seconds_read(age, strlen(age), &passed))
		passed = 0; // RFC 9111 section 5.1
	return least > passed ? least - passed : 0;
}

bool map_retry_seconds(const char *retry_after, time_t now, uint32_t *seconds)
{
	time_t when;

	if (!retry_after)
		return false;
	if (cache_seconds_read(retry_after, strlen(retry_after), seconds))
		return true;
	if (!cache_date_read(retry_after, &when))
		return false;
	*seconds = cache_seconds_between(now, when);
	return true;
}
