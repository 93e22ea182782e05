// SPDX-License-Identifier: BSD-3-Clause

#include "gw/cache/rules.h"

#include <string.h>

// Whether an answer may be stored for its status. An error says something about this request only
// where it asks for something else of the request, or is about who sent it; some may never be
// stored (RFC 6585 sections 3 to 6, RFC 9110 section 15.5.20).
static bool status_fits(int status)
{
	static const int never[] = {401, 407, 408, 412, 416, 417, 421, 425, 428, 429, 431, 511};

	if (status == 200)
		return true;
	if (status < 400 || status > 599)
		return false;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (status == never[i])
			return false;
	return true;
}

// The lifetime in milliseconds (section 4.2.1). false: nothing is said about it.
static bool lifetime_of(const struct cache_validity *v, uint64_t *ms)
{
	if (v->control.has_s_maxage)
		*ms = v->control.s_maxage * UINT64_C(1000);
	else if (v->control.has_max_age)
		*ms = v->control.max_age * UINT64_C(1000);
	else if (v->has_expires)
		*ms = v->expires * UINT64_C(1000);
	else
		return false;
	return true;
}

// How old an answer was when it came, in milliseconds (section 4.2.3).
static uint64_t age_of(const struct cache_answer *a)
{
	uint64_t delay = a->answered_ms > a->asked_ms ? a->answered_ms - a->asked_ms : 0;
	uint64_t apparent = 0;
	uint32_t value = 0;
	time_t date;

	// Section 5.1: of a list the first counts, and what is no number is ignored.
	if (a->age && !cache_seconds_read(a->age, strcspn(a->age, " \t,"), &value))
		value = 0;
	if (a->date && cache_date_read(a->date, &date))
		apparent = cache_seconds_between(date, a->now) * UINT64_C(1000);
	uint64_t corrected = value * UINT64_C(1000) + delay;

	return corrected > apparent ? corrected : apparent;
}

// Whether a stale answer must not be served (section 4.2.4).
static bool stale_forbidden(const struct cache_control *c)
{
	return c->no_cache || c->must_revalidate || c->proxy_revalidate || c->has_s_maxage;
}

// For how long an answer may be served after it is fresh, in milliseconds: one that came stale has
// been so for a part of it (RFC 5861 section 4).
static uint64_t stale_of(const struct cache_control *c, uint64_t lifetime, uint64_t age)
{
	uint64_t all = c->stale_if_error * UINT64_C(1000);
	uint64_t gone = age > lifetime ? age - lifetime : 0;

	return all > gone ? all - gone : 0;
}

// The time of an answer, or of what it validates: a 304 that does not say it anew leaves it where
// it was, and has a later Date (section 4.3.4).
static void expires_read(struct cache_validity *v, const struct cache_answer *a)
{
	time_t start;

	if (a->expires) {
		v->has_expires = true;
		if (!cache_date_read(a->expires, &v->end))
			v->end = 0; // what cannot be read is in the past (section 5.3)
	}
	if (!v->has_expires)
		return;
	if (!a->date || !cache_date_read(a->date, &start))
		start = a->now;
	v->expires = cache_seconds_between(start, v->end);
}

static struct cache_verdict refuse(enum cache_why why)
{
	return (struct cache_verdict){.why = why};
}

static struct cache_verdict decide(const struct cache_settings *s, const struct cache_answer *a,
	int status, struct cache_validity *v)
{
	const struct cache_control *c = &v->control;
	uint64_t lifetime = 0, age = age_of(a), most = s->max_age_max * UINT64_C(1000);
	struct cache_verdict verdict = {.why = CACHE_STORE};

	if (!status_fits(status))
		return refuse(CACHE_STATUS);
	if (c->no_store)
		return refuse(CACHE_NO_STORE);
	if (c->is_private && s->shared)
		return refuse(CACHE_PRIVATE);
	if (s->authorized && !c->is_public && !c->has_s_maxage && !c->must_revalidate)
		return refuse(CACHE_AUTHORIZATION);
	if (cache_varies(a->vary, s->shared))
		return refuse(CACHE_VARY);
	if (!lifetime_of(v, &lifetime)) {
		if (status != 200)
			return refuse(CACHE_STATUS);
		if (!s->default_ms && !c->no_cache)
			return refuse(CACHE_NOT_SAID);
		v->by_default = true;
		lifetime = s->default_ms;
	}
	if (c->no_cache)
		lifetime = 0;
	uint64_t left = lifetime > age ? lifetime - age : 0;

	if (left > most)
		left = most;
	verdict.fresh_ms = a->answered_ms + left;
	if (!stale_forbidden(c) && c->has_stale_if_error)
		verdict.stale_until_ms = verdict.fresh_ms + stale_of(c, lifetime, age);
	return verdict;
}

struct cache_verdict cache_decide(
	const struct cache_settings *s, const struct cache_answer *a, struct cache_validity *v)
{
	*v = (struct cache_validity){.has_expires = false};
	cache_control_read(&v->control, a->cache_control);
	expires_read(v, a);
	return decide(s, a, a->status, v);
}

struct cache_verdict cache_refresh(
	const struct cache_settings *s, const struct cache_answer *a, struct cache_validity *v)
{
	if (a->cache_control)
		cache_control_read(&v->control, a->cache_control);
	expires_read(v, a);
	return decide(s, a, 200, v);
}

bool cache_is_failure(int status)
{
	return !status || status == 500 || status == 502 || status == 503 || status == 504;
}
