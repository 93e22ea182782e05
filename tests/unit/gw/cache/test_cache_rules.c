// SPDX-License-Identifier: BSD-3-Clause
// What a shared cache may do (RFC 9111), a rule a row. Each line of gw/cache/rules.c and fields.c
// that is broken makes a row fail.

#include "gw/cache/rules.h"

#include <criterion/criterion.h>

#define NOW      784111777 // Sun, 06 Nov 1994 08:49:37 GMT
#define DATE     "Sun, 06 Nov 1994 08:49:37 GMT"
#define DATE_10  "Sun, 06 Nov 1994 08:49:47 GMT" // ten seconds later
#define BEFORE_5 "Sun, 06 Nov 1994 08:49:32 GMT" // five seconds before
#define ASKED_MS UINT64_C(1000000)

struct row {
	const char *what;
	int status; // 0: 200
	const char *cache_control, *expires, *date, *age, *vary;
	bool mine;       // the route is not shared
	bool authorized; // Authorization in the route's requests
	uint32_t default_ms;
	uint32_t took_ms; // from the request to the answer
	// What is decided.
	enum cache_why why;
	uint64_t fresh_ms; // from the answer on
	uint64_t stale_ms; // from then on; 0: never
};

static const struct row rows[] = {
	// Freshness (section 4.2.1).
	{"max-age", 0, "max-age=60", .fresh_ms = 60000},
	{"s-maxage before max-age", 0, "max-age=60, s-maxage=90", .fresh_ms = 90000},
	{"s-maxage before max-age, smaller", 0, "s-maxage=5, max-age=60", .fresh_ms = 5000},
	{"max-age before Expires", 0, "max-age=5", DATE_10, DATE, .fresh_ms = 5000},
	{"Expires from Date", 0, NULL, DATE_10, DATE, .fresh_ms = 10000},
	{"Expires without Date", 0, NULL, DATE_10, .fresh_ms = 10000},
	{"Expires that is no date is over", 0, NULL, "0", DATE, .fresh_ms = 0},
	{"Expires before Date is over", 0, NULL, BEFORE_5, DATE, .fresh_ms = 0},
	{"Expires and an old Date", 0, NULL, DATE_10, BEFORE_5, .fresh_ms = 10000},
	{"nothing said", 0, NULL, .why = CACHE_NOT_SAID},
	{"nothing said, with a default", 0, NULL, .default_ms = 5000, .fresh_ms = 5000},
	{"only public said, with a default", 0, "public", .default_ms = 5000, .fresh_ms = 5000},
	{"a default is for nothing else", 0, "max-age=1", .default_ms = 5000, .fresh_ms = 1000},
	{"max-age=0 is stored to be validated", 0, "max-age=0", .fresh_ms = 0},
	{"longest", 0, "max-age=99999999999", .fresh_ms = 86400000},
	{"the smaller of two", 0, "max-age=60, max-age=10", .fresh_ms = 10000},
	{"the smaller of two, turned", 0, "max-age=10, max-age=60", .fresh_ms = 10000},
	{"a value that is none", 0, "max-age=x", .fresh_ms = 0},
	{"no value", 0, "max-age", .fresh_ms = 0},
	{"negative", 0, "max-age=-1", .fresh_ms = 0},
	{"quoted", 0, "max-age=\"7\"", .fresh_ms = 7000},
	{"any case", 0, "MAX-AGE=7", .fresh_ms = 7000},
	{"unknown directives", 0, "x=\"max-age=9, no-store\", max-age=7", .fresh_ms = 7000},
	{"an escape in quotes", 0, "x=\"\\\", no-store, \", max-age=7", .fresh_ms = 7000},
	{"blanks and empty members", 0, " , max-age = 7 ,, ", .fresh_ms = 7000},
	// Age (section 4.2.3).
	{"Age", 0, "max-age=60", .age = "20", .fresh_ms = 40000},
	{"Age that is no number", 0, "max-age=60", .age = "x", .fresh_ms = 60000},
	{"Age beyond", 0, "max-age=60", .age = "61"},
	{"the first of two Ages", 0, "max-age=60", .age = "20, 5", .fresh_ms = 40000},
	{"from the request's sending", 0, "max-age=60", .took_ms = 1500, .fresh_ms = 58500},
	{"Age and the way", 0, "max-age=60", .age = "10", .took_ms = 1500, .fresh_ms = 48500},
	{"Date says more than Age", 0, "max-age=60", .date = BEFORE_5, .age = "2",
		.fresh_ms = 55000},
	{"Age says more than Date", 0, "max-age=60", .date = BEFORE_5, .age = "7",
		.fresh_ms = 53000},
	{"Date in the future", 0, "max-age=60", .date = DATE_10, .fresh_ms = 60000},
	{"Date that is none", 0, "max-age=60", .date = "yesterday", .fresh_ms = 60000},
	// What is stored (section 3).
	{"no-store", 0, "max-age=60, no-store", .why = CACHE_NO_STORE},
	{"no-store with a default", 0, "no-store", .default_ms = 5000, .why = CACHE_NO_STORE},
	{"private", 0, "private, max-age=60", .why = CACHE_PRIVATE},
	{"private with s-maxage", 0, "private, s-maxage=60", .why = CACHE_PRIVATE},
	{"private with field names", 0, "private=\"x-a, x-b\", max-age=60", .why = CACHE_PRIVATE},
	{"private, and the device's own", 0, "private, max-age=60", .mine = true,
		.fresh_ms = 60000},
	{"no-cache is validated", 0, "no-cache, max-age=60", .fresh_ms = 0},
	{"no-cache with field names is, too", 0, "no-cache=\"set-cookie\", max-age=60",
		.fresh_ms = 0},
	{"no-cache alone", 0, "no-cache", .fresh_ms = 0},
	{"a quote that does not end", 0, "max-age=60, x=\"no-store", .why = CACHE_NO_STORE},
	{"what is no list", 0, "max-age=60 no-cache", .why = CACHE_NO_STORE},
	{"what is no list, behind quotes", 0, "x=\"1\"2, max-age=60", .why = CACHE_NO_STORE},
	{"Authorization", 0, "max-age=60", .authorized = true, .why = CACHE_AUTHORIZATION},
	{"Authorization, by default", 0, NULL, .authorized = true, .default_ms = 5000,
		.why = CACHE_AUTHORIZATION},
	{"Authorization and public", 0, "public, max-age=60", .authorized = true,
		.fresh_ms = 60000},
	{"Authorization and s-maxage", 0, "s-maxage=60", .authorized = true, .fresh_ms = 60000},
	{"Authorization and must-revalidate", 0, "must-revalidate, max-age=60", .authorized = true,
		.fresh_ms = 60000},
	{"Authorization and proxy-revalidate", 0, "proxy-revalidate, max-age=60",
		.authorized = true, .why = CACHE_AUTHORIZATION},
	// Statuses.
	{"404 with freshness", 404, "max-age=5", .fresh_ms = 5000},
	{"404 that expires", 404, NULL, DATE_10, .fresh_ms = 10000},
	{"404 without", 404, NULL, .why = CACHE_STATUS},
	{"404 without, whatever the default", 404, NULL, .default_ms = 5000, .why = CACHE_STATUS},
	{"410", 410, "max-age=5", .fresh_ms = 5000},
	{"500 with freshness", 500, "max-age=5", .fresh_ms = 5000},
	{"503 with freshness", 503, "max-age=5", .fresh_ms = 5000},
	{"201", 201, "max-age=60", .why = CACHE_STATUS},
	{"204", 204, "max-age=60", .why = CACHE_STATUS},
	{"206", 206, "max-age=60", .why = CACHE_STATUS},
	{"301", 301, "max-age=60", .why = CACHE_STATUS},
	{"304", 304, "max-age=60", .why = CACHE_STATUS},
	{"600", 600, "max-age=60", .why = CACHE_STATUS},
	{"401", 401, "max-age=60", .why = CACHE_STATUS},
	{"407", 407, "max-age=60", .why = CACHE_STATUS},
	{"408", 408, "max-age=60", .why = CACHE_STATUS},
	{"412", 412, "max-age=60", .why = CACHE_STATUS},
	{"416", 416, "max-age=60", .why = CACHE_STATUS},
	{"417", 417, "max-age=60", .why = CACHE_STATUS},
	{"421", 421, "max-age=60", .why = CACHE_STATUS},
	{"425", 425, "max-age=60", .why = CACHE_STATUS},
	{"428", 428, "max-age=60", .why = CACHE_STATUS},
	{"429", 429, "max-age=60", .why = CACHE_STATUS},
	{"431", 431, "max-age=60", .why = CACHE_STATUS},
	{"511", 511, "max-age=60", .why = CACHE_STATUS},
	// Vary (section 4.1).
	{"Vary on all", 0, "max-age=60", .vary = "*", .why = CACHE_VARY},
	{"Vary on all, among others", 0, "max-age=60", .vary = "Accept, *", .why = CACHE_VARY},
	{"Vary on what the key has", 0, "max-age=60",
		.vary = "Accept, Accept-Encoding, Content-Type", .fresh_ms = 60000},
	{"Vary on what no request has", 0, "max-age=60", .vary = "Origin, Cookie",
		.fresh_ms = 60000},
	{"Vary on Host", 0, "max-age=60", .vary = "accept, HOST", .why = CACHE_VARY},
	{"Vary on validators", 0, "max-age=60", .vary = "If-None-Match", .why = CACHE_VARY},
	{"Vary on their dates", 0, "max-age=60", .vary = "If-Modified-Since", .why = CACHE_VARY},
	{"Vary that is no list", 0, "max-age=60", .vary = "accept origin", .why = CACHE_VARY},
	{"Vary that is no name", 0, "max-age=60", .vary = "a=b", .why = CACHE_VARY},
	{"Vary on where a device is", 0, "max-age=60", .vary = "Forwarded", .mine = true,
		.why = CACHE_VARY},
	{"Vary on a trace", 0, "max-age=60", .vary = "traceparent", .mine = true,
		.why = CACHE_VARY},
	{"Vary on each request", 0, "max-age=60", .vary = "Idempotency-Key", .mine = true,
		.why = CACHE_VARY},
	{"Vary on the age of an Echo", 0, "max-age=60", .vary = "Device-Echo-Age", .mine = true,
		.why = CACHE_VARY},
	{"Vary on the device", 0, "max-age=60", .vary = "Device-Id", .mine = true,
		.fresh_ms = 60000},
	{"none of that is in shared requests", 0, "max-age=60", .vary = "Forwarded, traceparent",
		.fresh_ms = 60000},
	// Stale answers (section 4.2.4, RFC 5861 section 4).
	{"stale-if-error", 0, "max-age=10, stale-if-error=20", .fresh_ms = 10000,
		.stale_ms = 30000},
	{"no-cache forbids it", 0, "no-cache, max-age=10, stale-if-error=20", .fresh_ms = 0},
	{"must-revalidate forbids it", 0, "max-age=10, stale-if-error=20, must-revalidate",
		.fresh_ms = 10000},
	{"proxy-revalidate forbids it", 0, "max-age=10, stale-if-error=20, proxy-revalidate",
		.fresh_ms = 10000},
	{"s-maxage forbids it", 0, "s-maxage=10, stale-if-error=20", .fresh_ms = 10000},
	{"a value that is none", 0, "max-age=10, stale-if-error=x", .fresh_ms = 10000,
		.stale_ms = 10000},
	{"stale for a part of it", 0, "max-age=10, stale-if-error=20", .age = "15", .fresh_ms = 0,
		.stale_ms = 15000},
	// Cache-Control that is no list of directives.
	{"a semicolon in a name", 0, "no-store;x, max-age=60", .why = CACHE_NO_STORE},
	{"a value with quotes in it", 0, "x=a\"b, max-age=60", .why = CACHE_NO_STORE},
	{"a name in quotes", 0, "\"private\", max-age=60", .why = CACHE_NO_STORE},
};

static struct cache_settings settings_of(const struct row *row)
{
	return (struct cache_settings){.shared = !row->mine,
		.authorized = row->authorized,
		.default_ms = row->default_ms,
		.max_age_max = 86400};
}

static struct cache_answer answer_of(const struct row *row)
{
	return (struct cache_answer){.status = row->status ? row->status : 200,
		.cache_control = row->cache_control,
		.expires = row->expires,
		.date = row->date,
		.age = row->age,
		.vary = row->vary,
		.asked_ms = ASKED_MS,
		.answered_ms = ASKED_MS + row->took_ms,
		.now = NOW};
}

Test(cache_rules, rows)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const struct cache_settings settings = settings_of(row);
		const struct cache_answer answer = answer_of(row);
		struct cache_validity validity;
		struct cache_verdict verdict = cache_decide(&settings, &answer, &validity);

		cr_expect_eq(verdict.why, row->why, "%s: %d", row->what, verdict.why);
		if (verdict.why || row->why)
			continue;
		cr_expect_eq(verdict.fresh_ms - answer.answered_ms, row->fresh_ms, "%s: %lu",
			row->what, verdict.fresh_ms - answer.answered_ms);
		cr_expect_eq(verdict.stale_until_ms,
			row->stale_ms ? answer.answered_ms + row->stale_ms : 0, "%s", row->what);
	}
}

// A 304 (section 4.3.4).
Test(cache_rules, refreshed)
{
	static const struct {
		const char *what;
		const char *stored, *stored_expires; // fields of the 200
		struct row says;                     // the 304
	} refreshed[] = {
		{"says nothing", "max-age=60", NULL, {.fresh_ms = 60000}},
		{"says the same", "max-age=60", NULL,
			{.cache_control = "max-age=60", .fresh_ms = 60000}},
		{"says less", "max-age=60", NULL, {.cache_control = "max-age=5", .fresh_ms = 5000}},
		{"its Age", "max-age=60", NULL, {.age = "10", .fresh_ms = 50000}},
		{"its way", "max-age=60", NULL, {.took_ms = 2000, .fresh_ms = 58000}},
		{"it expires", NULL, DATE_10,
			{.expires = DATE_10, .date = DATE, .fresh_ms = 10000}},
		{"it expired and is told so again", NULL, DATE_10,
			{.expires = BEFORE_5, .date = DATE}},
		{"Expires of before", NULL, DATE_10, {.fresh_ms = 10000}},
		{"Expires of before, which is over", NULL, DATE_10, {.date = DATE_10}},
		{"is not to be stored", "max-age=60", NULL,
			{.cache_control = "no-store", .why = CACHE_NO_STORE}},
		{"is private now", "max-age=60", NULL,
			{.cache_control = "private", .why = CACHE_PRIVATE}},
		{"no-cache of before", "no-cache, max-age=60", NULL, {.fresh_ms = 0}},
		{"varies now", "max-age=60", NULL, {.vary = "*", .why = CACHE_VARY}},
		{"stale-if-error of before", "max-age=10, stale-if-error=5", NULL,
			{.fresh_ms = 10000, .stale_ms = 15000}},
		{"by default again", NULL, NULL, {.default_ms = 4000, .fresh_ms = 4000}},
	};

	for (size_t i = 0; i < sizeof(refreshed) / sizeof(refreshed[0]); i++) {
		const struct row *says = &refreshed[i].says;
		const struct row first = {.cache_control = refreshed[i].stored,
			.expires = refreshed[i].stored_expires,
			.date = DATE};
		const struct cache_settings settings = settings_of(says);
		const struct cache_answer stored = answer_of(&first);
		struct cache_answer not_modified = answer_of(says);
		struct cache_validity validity;

		cr_assert_eq(cache_decide(&settings, &stored, &validity).why, CACHE_STORE, "%s",
			refreshed[i].what);
		not_modified.status = 304;
		struct cache_verdict verdict = cache_refresh(&settings, &not_modified, &validity);

		cr_expect_eq(verdict.why, says->why, "%s: %d", refreshed[i].what, verdict.why);
		if (verdict.why || says->why)
			continue;
		cr_expect_eq(verdict.fresh_ms - not_modified.answered_ms, says->fresh_ms, "%s: %lu",
			refreshed[i].what, verdict.fresh_ms - not_modified.answered_ms);
		cr_expect_eq(verdict.stale_until_ms,
			says->stale_ms ? not_modified.answered_ms + says->stale_ms : 0, "%s",
			refreshed[i].what);
	}
}

// What a 304 changed stays changed.
Test(cache_rules, a_304_changes_what_is_kept)
{
	const struct cache_settings settings = {.shared = true, .max_age_max = 86400};
	const struct cache_answer stored = {.status = 200, .cache_control = "max-age=60"};
	const struct cache_answer less = {.status = 304, .cache_control = "max-age=5"};
	const struct cache_answer nothing = {.status = 304};
	struct cache_validity validity;

	cache_decide(&settings, &stored, &validity);
	cache_refresh(&settings, &less, &validity);
	cr_expect_eq(cache_refresh(&settings, &nothing, &validity).fresh_ms, 5000);
}

Test(cache_rules, failures)
{
	static const int failures[] = {0, 500, 502, 503, 504}, others[] = {200, 304, 404, 429, 501};

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		cr_expect(cache_is_failure(failures[i]), "%d", failures[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect(!cache_is_failure(others[i]), "%d", others[i]);
}
