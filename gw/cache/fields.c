// SPDX-License-Identifier: BSD-3-Clause

#include "gw/cache/fields.h"

#include <ctype.h>
#include <string.h>

bool cache_seconds_read(const char *at, size_t len, uint32_t *seconds)
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

uint32_t cache_seconds_between(time_t from, time_t to)
{
	if (to <= from)
		return 0;
	return (uint64_t)(to - from) > UINT32_MAX ? UINT32_MAX : (uint32_t)(to - from);
}

bool cache_date_read(const char *text, time_t *date)
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

// The bytes of a quoted string up to its closing mark (RFC 9110 section 5.6.4).
static size_t quoted_len(const char *text)
{
	size_t len = 0;

	while (text[len] && text[len] != '"')
		len += text[len] == '\\' && text[len + 1] ? 2 : 1;
	return len;
}

// RFC 9110 section 5.6.2.
static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
			return false;
	return len;
}

bool cache_directive_next(const char **at, struct cache_directive *d)
{
	const char *p = *at + strspn(*at, " \t,");

	if (!*p)
		return false;
	*d = (struct cache_directive){.name = p, .name_len = strcspn(p, " \t,=")};
	p += d->name_len;
	p += strspn(p, " \t");
	if (*p == '=') {
		p++;
		p += strspn(p, " \t");
		if (*p == '"') {
			d->value = ++p;
			d->value_len = quoted_len(p);
			p += d->value_len;
			d->bad = !*p;
			p += *p == '"';
		} else {
			d->value = p;
			d->value_len = strcspn(p, " \t,");
			d->bad = !is_token(p, d->value_len);
			p += d->value_len;
		}
	}
	p += strspn(p, " \t");
	d->bad |= *p && *p != ',';
	*at = p + strcspn(p, ",");
	return true;
}

bool cache_directive_is(const struct cache_directive *d, const char *name)
{
	return d->name_len == strlen(name) && !strncasecmp(d->name, name, d->name_len);
}

static void least_read(bool *has, uint32_t *least, const struct cache_directive *d)
{
	uint32_t seconds;

	if (!d->value || !cache_seconds_read(d->value, d->value_len, &seconds))
		seconds = 0;
	if (!*has || seconds < *least)
		*least = seconds;
	*has = true;
}

void cache_control_read(struct cache_control *c, const char *value)
{
	struct cache_directive d;

	*c = (struct cache_control){.no_store = false};
	while (value && cache_directive_next(&value, &d)) {
		c->no_store |= d.bad || !is_token(d.name, d.name_len) ||
			cache_directive_is(&d, "no-store");
		c->no_cache |= cache_directive_is(&d, "no-cache");
		c->is_private |= cache_directive_is(&d, "private");
		c->is_public |= cache_directive_is(&d, "public");
		c->must_revalidate |= cache_directive_is(&d, "must-revalidate");
		c->proxy_revalidate |= cache_directive_is(&d, "proxy-revalidate");
		if (cache_directive_is(&d, "max-age"))
			least_read(&c->has_max_age, &c->max_age, &d);
		if (cache_directive_is(&d, "s-maxage"))
			least_read(&c->has_s_maxage, &c->s_maxage, &d);
		if (cache_directive_is(&d, "stale-if-error"))
			least_read(&c->has_stale_if_error, &c->stale_if_error, &d);
	}
}

// What differs between requests with the same options: Host is that of the server that is asked,
// and validators are those of what is stored.
static bool differs(const struct cache_directive *d, bool shared)
{
	static const char *const always[] = {"host", "if-match", "if-none-match",
		"if-modified-since", "if-unmodified-since", "if-range"};
	static const char *const by_device[] = {
		"device-echo-age", "forwarded", "idempotency-key", "traceparent", "tracestate"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (cache_directive_is(d, always[i]))
			return true;
	for (size_t i = 0; !shared && i < sizeof(by_device) / sizeof(by_device[0]); i++)
		if (cache_directive_is(d, by_device[i]))
			return true;
	return false;
}

bool cache_varies(const char *vary, bool shared)
{
	struct cache_directive d;

	while (vary && cache_directive_next(&vary, &d))
		if (d.bad || d.value || !is_token(d.name, d.name_len) ||
			cache_directive_is(&d, "*") || differs(&d, shared))
			return true;
	return false;
}
