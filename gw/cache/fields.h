// SPDX-License-Identifier: BSD-3-Clause
// Header fields that say how long an answer is good: Cache-Control (RFC 9111 section 5.2), dates
// (RFC 9110 section 5.6.7), seconds, Vary (RFC 9110 section 12.5.5). What a server sends is not to
// be trusted: what cannot be read counts as what is stored for the shorter time, or not at all.

#ifndef POSTERN_GW_CACHE_FIELDS_H
#define POSTERN_GW_CACHE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

// What Cache-Control of an answer says. Of a directive that comes twice the smaller value counts,
// and one whose value cannot be read counts as 0. What is no list of directives counts as no-store.
struct cache_control {
	bool no_store;
	bool no_cache;   // validate each time; with field names, too
	bool is_private; // the same
	bool is_public;
	bool must_revalidate;
	bool proxy_revalidate;
	bool has_max_age, has_s_maxage, has_stale_if_error;
	uint32_t max_age, s_maxage, stale_if_error; // seconds
};

// NULL: there is no such field.
void cache_control_read(struct cache_control *control, const char *value);

// Whether two requests of one route may get different answers of a backend that says so: on *, on
// what cannot be read, or on a field that can differ between them without their options differing.
// `shared`: they carry nothing of their device.
bool cache_varies(const char *vary, bool shared);

// Non-negative decimal digits and nothing else, in len bytes; what is too large is the largest.
bool cache_seconds_read(const char *at, size_t len, uint32_t *seconds);

// One of the three forms of a date; false if it is none.
bool cache_date_read(const char *text, time_t *date);

// From one to the other, 0 if that was before.
uint32_t cache_seconds_between(time_t from, time_t to);

// A directive of Cache-Control or a member of a list like it.
struct cache_directive {
	const char *name, *value; // value: NULL if there is none; without quotes
	size_t name_len, value_len;
	bool bad; // it does not end where it has to
};

// Sets *d to the next one, and moves *at behind it; false at the end.
bool cache_directive_next(const char **at, struct cache_directive *d);
// Whether it has this name, in any case.
bool cache_directive_is(const struct cache_directive *d, const char *name);

#endif
