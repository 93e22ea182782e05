// SPDX-License-Identifier: BSD-3-Clause
// What a server says about each record.

#include "gw/batch/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 3

static const struct batch_id ids[COUNT] = {
	{0xab, 1}, {0xab, 20}, {0xffffffffffffffff, 1099511627775}};

// "wrong", "none", or the statuses.
static const char *read_all(const char *body)
{
	static char text[64];
	uint16_t index[BATCH_INDEX_ROOM(COUNT)], status[COUNT];
	size_t len = strlen(body);
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, body, len);
	enum batch_results rc = batch_results_read(copy, len, ids, index, status, COUNT);
	free(copy);
	if (rc == BATCH_RESULTS_READ)
		snprintf(text, sizeof(text), "%u %u %u", status[0], status[1], status[2]);
	else
		cr_expect(!status[0] && !status[1] && !status[2]);
	return rc == BATCH_RESULTS_READ ? text : rc == BATCH_RESULTS_NONE ? "none" : "wrong";
}

#define A "\"id\":\"00000000000000ab-1\""
#define B "\"id\":\"00000000000000ab-20\""
#define C "\"id\":\"ffffffffffffffff-1099511627775\""

Test(batch_results, table)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{"{\"items\":[{\"status\":201},{\"status\":400},{\"status\":503}]}", "201 400 503"},
		{"{\"took\":3,\"errors\":true,\"items\":["
		 "{\"create\":{\"_id\":\"x\",\"status\":201,\"_shards\":{\"status\":7}}},"
		 "{\"create\":{\"status\":409,\"error\":{\"type\":\"v\",\"status\":1}}},"
		 "{\"index\":{\"status\":429}}]}",
			"201 409 429"},
		// The status of the item itself goes before one that is deeper.
		{"{\"items\":[{\"status\":201,\"x\":{\"status\":500}},{\"x\":{\"status\":500},"
		 "\"status\":"
		 "202},{\"status\":200}]}",
			"201 202 200"},
		{"{\"results\":[{" C ",\"status\":422},{\"status\":201," A "},{" B
		 ",\"status\":200}]}",
			"201 200 422"},
		{"{\"results\":[{" B
		 ",\"status\":200},{\"id\":\"ffffffffffffffff-9\",\"status\":500}]}",
			"0 200 0"},
		{"{\"results\":[]}", "0 0 0"},
		// One that is named twice, with statuses that differ, is not known.
		{"{\"results\":[{" A ",\"status\":200},{" A ",\"status\":200},{" B
		 ",\"status\":200},{" B ",\"status\":500}]}",
			"200 0 0"},
		{"{\"items\":[{\"status\":201,\"status\":500},{\"status\":\"201\"},{\"status\":20."
		 "1}]}",
			"0 0 0"},
		{"{\"items\":[{\"status\":99},{\"status\":600},{\"status\":1000}]}", "0 0 0"},
		{"{\"results\":[{\"id\":\"ab-1\",\"status\":200},{\"id\":\"00000000000000AB-1\","
		 "\"status\":200},{\"id\":\"00000000000000ab-01\",\"status\":200},{\"id\":7,"
		 "\"status\":200}]}",
			"0 0 0"},
		{"{\"results\":[{\"id\":\"00000000000000\\u0061b-1\",\"status\":200}]}", "200 0 0"},
		// Nor one with a status that is none, whichever of them comes first.
		{"{\"results\":[{" A ",\"status\":99},{" A ",\"status\":201},{" B "},{" B
		 ",\"status\":201},{" C ",\"status\":201},{" C ",\"status\":2e2}]}",
			"0 0 0"},
		// Which is whose?
		{"{\"items\":[{\"status\":201},{\"status\":400}]}", "wrong"},
		{"{\"items\":[{\"status\":201},{\"status\":201},{\"status\":201},{\"status\":201}]"
		 "}",
			"wrong"},
		{"{\"items\":[],\"results\":[]}", "wrong"},
		{"{\"items\":{}}", "wrong"},
		{"{\"items\":[201,201,201]}", "wrong"},
		{"{\"items\":[{\"status\":201},{\"status\":400},{\"status\":503}]", "wrong"},
		{"{\"items\":[{\"status\":201},{\"status\":400},{\"status\":503}]}x", "wrong"},
		{"", "wrong"},
		{"OK", "wrong"},
		{"{}", "none"},
		{"null", "none"},
		{"[{\"status\":201}]", "none"},
		{"{\"ok\":true,\"item\":[{\"status\":500}]}", "none"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = read_all(rows[i].body);

		cr_expect_str_eq(
			got, rows[i].want, "%s: %s, not %s", rows[i].body, got, rows[i].want);
	}
}

// What a service quotes of one device's payload spoils nobody's result.
Test(batch_results, quotations)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{"{\"items\":[{\"status\":422,\"why\":\"\\u0000 \\ud800 \\uffff \xff "
		 "\xef\xbf\xbf\"},"
		 "{\"status\":201,\"at\":1767225600042000000,\"v\":1e400},"
		 "{\"\\udc00\":0,\"status\":200}]}",
			"422 201 200"},
		{"{\"items\":[{\"status\":201,\"x\":\"\\u00g0\"},{\"status\":201},{\"status\":201}]"
		 "}",
			"wrong"},
		{"{\"items\":[{\"status\":201,\"x\":\"\\x\"},{\"status\":201},{\"status\":201}]}",
			"wrong"},
		{"{\"items\":[{\"status\":201,\"x\":\"\n\"},{\"status\":201},{\"status\":201}]}",
			"wrong"},
		{"{\"results\":[{\"id\":\"00000000000000ab-1\\ud800\",\"status\":200}]}", "0 0 0"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = read_all(rows[i].body);

		cr_expect_str_eq(
			got, rows[i].want, "%s: %s, not %s", rows[i].body, got, rows[i].want);
	}
}

// However deep it is.
Test(batch_results, deep_quotations)
{
	enum { DEEP = 5000 };
	static char body[3 * DEEP];

	for (unsigned whole = 0; whole < 2; whole++) {
		size_t len = strlen(strcpy(body, "{\"items\":[{\"x\":"));

		for (unsigned i = 0; i < DEEP; i++)
			body[len++] = '[';
		len = (size_t)(stpcpy(body + len, "\"]]\\\"\"") - body);
		for (unsigned i = !whole; i < DEEP; i++)
			body[len++] = ']';
		strcpy(body + len, ",\"status\":422},{\"status\":201},{\"status\":200}]}");
		cr_expect_str_eq(read_all(body), whole ? "422 201 200" : "wrong");
	}
}

// Of many with ids that differ in one number only, each gets its own.
Test(batch_results, many)
{
	enum { MANY = 4096 };
	static struct batch_id id[MANY];
	static uint16_t index[BATCH_INDEX_ROOM(MANY)], status[MANY];
	static char body[MANY * 64];
	size_t len = strlen(strcpy(body, "{\"results\":["));

	for (unsigned i = 0; i < MANY; i++)
		id[i] = (struct batch_id){i % 64, i / 64};
	for (unsigned i = MANY; i--;)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
			"{\"id\":\"%016x-%u\",\"status\":%u}%s", i % 64, i / 64, 200 + i % 300,
			i ? "," : "]}");
	cr_assert_eq(batch_results_read((uint8_t *)body, len, id, index, status, MANY),
		BATCH_RESULTS_READ);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(status[i], 200 + i % 300);
}
