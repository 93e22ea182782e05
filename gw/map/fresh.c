// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/fresh.h"

#include <ctype.h>
#include <string.h>

// Non-negative decimal digits and nothing else, in len bytes; what is too large is the largest.
static bool parse_seconds(const char *at, size_t len, uint32_t *seconds)
{
	uint64_t value = 0;

	if (!len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)at[i]))
			return false;
		value = value * 10 + (uint64_t)(at[i] - '0');
		if (value > UINT32_MAX)
			value = UINT32_MAX;
	}
	*seconds = (uint32_t)value;
	return true;
}

static uint32_t seconds_between(time_t from, time_t to)
{
	if (to <= from)
		return 0;
	return (uint64_t)(to - from) > UINT32_MAX ? UINT32_MAX : (uint32_t)(to - from);
}

static bool parse_date(const char *text, time_t *date)
{
	// RFC 9110 section 5.6.7: one that is sent now, and two of old.
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (end && !*end) {
			*date = timegm(&tm);
			return true;
		}
	}
	return false;
}

struct directive {
	const char *name, *value; // value: NULL if there is none; without quotes
	size_t name_len, value_len;
};

// The next directive of Cache-Control (RFC 9111 section 5.2); false at the end.
static bool directive_next(const char **at, struct directive *d)
{
	const char *p = *at + strspn(*at, " \t,");

	if (!*p)
		return false;
	*d = (struct directive){.name = p, .name_len = strcspn(p, " \t,=")};
	p += d->name_len;
	p += strspn(p, " \t");
	if (*p == '=') {
		p++;
		p += strspn(p, " \t");
		if (*p == '"') {
			d->value = ++p;
			d->value_len = strcspn(p, "\"");
		} else {
			d->value = p;
			d->value_len = strcspn(p, " \t,");
		}
		p += d->value_len;
	}
	*at = p + strcspn(p, ",");
	return true;
}

static bool directive_is(const struct directive *d, const char *name)
{
	return d->name_len == strlen(name) && !strncasecmp(d->name, name, d->name_len);
}

uint32_t map_fresh_seconds(const char *cache_control, const char *expires, const char *date,
	const char *age, time_t now)
{
	uint32_t least = UINT32_MAX, seconds, passed = 0;
	bool said = false;
	struct directive d;
	time_t end, start;

	while (cache_control && directive_next(&cache_control, &d)) {
		if (directive_is(&d, "no-store") || directive_is(&d, "no-cache"))
			return 0;
		if (!directive_is(&d, "max-age") && !directive_is(&d, "s-maxage"))
			continue;
		if (!d.value || !parse_seconds(d.value, d.value_len, &seconds))
			return 0;
		said = true;
		least = seconds < least ? seconds : least;
	}
	if (expires) {
		if (!parse_date(expires, &end))
			return 0;
		if (!date || !parse_date(date, &start))
			start = now;
		said = true;
		seconds = seconds_between(start, end);
		least = seconds < least ? seconds : least;
	}
	if (!said)
		return 0;
	if (age && !parse_seconds(age, strlen(age), &passed))
		passed = 0; // RFC 9111 section 5.1
	return least > passed ? least - passed : 0;
}

bool map_retry_seconds(const char *retry_after, time_t now, uint32_t *seconds)
{
	time_t when;

	if (!retry_after)
		return false;
	if (parse_seconds(retry_after, strlen(retry_after), seconds))
		return true;
	if (!parse_date(retry_after, &when))
		return false;
	*seconds = seconds_between(now, when);
	return true;
}
