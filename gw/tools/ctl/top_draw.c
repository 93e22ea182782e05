// SPDX-License-Identifier: BSD-3-Clause
// What is on the screen of posternctl top, and where: a head, then workers, upstreams with their
// servers, and reasons for drops, which share the rows that are left.

#include "gw/tools/ctl/top.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS 27
#define DROPS_MAX    128
#define NO_RATE      (-1.0) // there are no two samples yet
#define UPSTREAM     "upstream."
#define SERVER       "server."

static void row_add(struct top_screen *screen, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void row_add(struct top_screen *screen, const char *format, ...)
{
	unsigned room = screen->columns + 1;
	va_list args;

	if (screen->used == screen->rows || screen->used == TOP_ROWS_MAX)
		return;
	char *row = screen->row[screen->used++];

	va_start(args, format);
	vsnprintf(row, room < TOP_COLUMNS_MAX ? room : TOP_COLUMNS_MAX, format, args);
	va_end(args);
	for (char *at = row; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

static unsigned left(const struct top_screen *screen)
{
	return screen->rows - screen->used;
}

// At most six characters: 12, 1234, 123.4k, 1.23M; "-" for NO_RATE.
static const char *short_number(double n, char text[16])
{
	if (n < 0)
		snprintf(text, 16, "-");
	else if (n < 100 && n > 0)
		snprintf(text, 16, "%.1f", n);
	else if (n < 100000)
		snprintf(text, 16, "%.0f", n);
	else if (n < 1e6)
		snprintf(text, 16, "%.1fk", n / 1e3);
	else if (n < 1e9)
		snprintf(text, 16, "%.2fM", n / 1e6);
	else
		snprintf(text, 16, "%.2fG", n / 1e9);
	return text;
}

static const char *rate_text(const struct top_sample *now, const struct top_sample *then,
	const char *name, int worker, char text[16])
{
	return short_number(then ? top_rate_of(now, then, name, worker) : NO_RATE, text);
}

static double drops_rate(const struct top_sample *now, const struct top_sample *then, int worker)
{
	double sum = 0;

	for (size_t i = 0; i < now->count; i++)
		if (!strncmp(now->counter[i].name, "drop_", 5))
			sum += top_rate(now, then, i, worker);
	return sum;
}

// ---- parts

static bool begins(const char *text, const char *begin)
{
	return !strncmp(text, begin, strlen(begin));
}

static bool ends(const char *text, const char *end)
{
	return strlen(text) > strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

static void latency_sum(
	struct top_latency *latency, const struct top_sample *now, const struct top_sample *then)
{
	*latency = (struct top_latency){{0}};
	for (size_t i = 0; then && i < now->count; i++) {
		char server[128];
		const char *name = now->counter[i].name;

		if (!begins(name, SERVER) || !ends(name, ".attempts"))
			continue;
		snprintf(server, sizeof(server), "%.*s",
			(int)(strlen(name) - strlen(SERVER) - strlen(".attempts")),
			name + strlen(SERVER));
		top_latency_add(latency, now, then, server, i);
	}
}

static void head_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, bool paused)
{
	char uptime[32], a[16], b[16], c[16], d[16], e[16], f[16];
	struct top_latency latency;

	row_add(screen, "postern %s  %s for %s%s", now->version, now->state,
		cli_duration_text(uptime, now->uptime_ms), paused ? "  PAUSED" : "");
	if (now->alarms)
		row_add(screen, "ALARM %s%s", now->alarm, now->alarms > 1 ? " (and more)" : "");
	else
		row_add(screen, "no alarms");
	latency_sum(&latency, now, then);
	row_add(screen, "%s", "");
	row_add(screen, "%10s %10s %10s %10s %10s %10s %10s", "REQUESTS/s", "ANSWERS/s", "DROPS/s",
		"IN FLIGHT", "DEVICES", "HTTP p50", "HTTP p99");
	row_add(screen, "%10s %10s %10s %10s %10s %10s %10s",
		rate_text(now, then, "rx_requests", -1, a), rate_text(now, then, "answers", -1, b),
		short_number(then ? drops_rate(now, then, -1) : NO_RATE, c),
		short_number((double)top_value(now, "exchanges"), d),
		short_number((double)now->devices, e), top_latency_text(&latency, 50, f),
		top_latency_text(&latency, 99, (char[16]){0}));
}

static const char *bar(double part, char text[12])
{
	unsigned full = part >= 1 ? 10 : (unsigned)(part * 10 + .5);

	for (unsigned i = 0; i < 10; i++)
		text[i] = i < full ? '#' : '.';
	text[10] = 0;
	return text;
}

static void workers_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, unsigned most)
{
	static const char *const rungs[] = {"-", "low", "non", "con"};
	const struct top_counter *overload = top_find(now, "overload", 0);
	unsigned shown = now->workers < most ? now->workers : most;

	row_add(screen, "%s", "");
	row_add(screen, "%-7s%-10s %6s %10s %10s %10s  %s", "WORKER", "BUSY", "", "PACKETS/s",
		"REQUESTS/s", "DROPS/s", "OVERLOAD");
	for (unsigned w = 0; w < shown; w++) {
		// Microseconds in a second.
		double busy = then ? top_rate_of(now, then, "busy", (int)w) / 1e6 : 0;
		uint64_t rung = overload && w < overload->worker_count ? overload->workers[w] : 0;
		char text[12], a[16], b[16], c[16];

		row_add(screen, "%-7u%s %5.1f%% %10s %10s %10s  %s", w, bar(busy, text), busy * 100,
			rate_text(now, then, "rx_packets", (int)w, a),
			rate_text(now, then, "rx_requests", (int)w, b),
			short_number(then ? drops_rate(now, then, (int)w) : NO_RATE, c),
			rungs[rung < 4 ? rung : 0]);
	}
	if (shown < now->workers)
		row_add(screen, "and %u more", now->workers - shown);
}

static double errors_rate(const struct top_sample *now, const struct top_sample *then, size_t from,
	const char *upstream)
{
	char begin[160];
	double sum = 0;

	snprintf(begin, sizeof(begin), UPSTREAM "%s.error_", upstream);
	for (size_t i = from; i < now->count && begins(now->counter[i].name, UPSTREAM); i++)
		if (begins(now->counter[i].name, begin))
			sum += top_rate(now, then, i, -1);
	return sum;
}

static uint64_t value_in(const struct top_sample *now, const char *begin, const char *name,
	const char *end, size_t hint)
{
	char listed[160];

	snprintf(listed, sizeof(listed), "%s%s.%s", begin, name, end);
	const struct top_counter *counter = top_find(now, listed, hint);

	return counter ? counter->total : 0;
}

static void upstream_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, size_t at, const char *name)
{
	char a[16], b[16], up[32];

	snprintf(up, sizeof(up), "%" PRIu64 "/%" PRIu64 " up",
		value_in(now, UPSTREAM, name, "servers_up", at),
		value_in(now, UPSTREAM, name, "servers", at));
	row_add(screen, "%-*.*s %9s %9s %9s %9" PRIu64, NAME_COLUMNS, NAME_COLUMNS, name, up,
		short_number(then ? top_rate(now, then, at, -1) : NO_RATE, a),
		short_number(then ? errors_rate(now, then, at, name) : NO_RATE, b),
		value_in(now, UPSTREAM, name, "inflight", at));
}

static void server_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, size_t at, const char *name)
{
	const bool out = value_in(now, SERVER, name, "out", at);
	const bool up = value_in(now, SERVER, name, "up", at);
	struct top_latency latency = {{0}};
	char a[16], b[16], c[16], failures[160];

	if (then)
		top_latency_add(&latency, now, then, name, at);
	snprintf(failures, sizeof(failures), SERVER "%s.failures", name);
	row_add(screen, "  %-*.*s %9s %9s %9s %9" PRIu64 " %9s", NAME_COLUMNS - 2, NAME_COLUMNS - 2,
		name,
		out          ? "out"
			: up ? "up"
			     : "DOWN",
		short_number(then ? top_rate(now, then, at, -1) : NO_RATE, a),
		rate_text(now, then, failures, -1, b), value_in(now, SERVER, name, "inflight", at),
		top_latency_text(&latency, 99, c));
}

// Counter i is "BEGIN NAME END": copies the name.
static bool name_between(
	const struct top_sample *now, size_t i, const char *begin, const char *end, char name[128])
{
	const char *listed = now->counter[i].name;

	if (!begins(listed, begin) || !ends(listed, end))
		return false;
	snprintf(name, 128, "%.*s", (int)(strlen(listed) - strlen(begin) - strlen(end)),
		listed + strlen(begin));
	return true;
}

static void upstreams_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, unsigned most)
{
	const unsigned end = screen->used + most;
	unsigned missing = 0;
	char name[128], server[128];

	row_add(screen, "%s", "");
	row_add(screen, "%-*s %9s %9s %9s %9s %9s", NAME_COLUMNS, "UPSTREAM, server", "STATE",
		"REQ/s", "ERRORS/s", "IN FLIGHT", "p99");
	for (size_t i = 0; i < now->count; i++) {
		if (!name_between(now, i, UPSTREAM, ".requests", name) ||
			!value_in(now, UPSTREAM, name, "servers", i))
			continue;
		if (screen->used + 1 >= end) {
			missing++;
			continue;
		}
		upstream_draw(screen, now, then, i, name);
		for (size_t k = 0; k < now->count; k++) {
			// Its servers are called NAME.0 and so on.
			if (!name_between(now, k, SERVER, ".attempts", server) ||
				strlen(server) <= strlen(name) || !begins(server, name) ||
				server[strlen(name)] != '.' ||
				strchr(server + strlen(name) + 1, '.'))
				continue;
			if (screen->used + 1 < end)
				server_draw(screen, now, then, k, server);
			else
				missing++;
		}
	}
	if (missing)
		row_add(screen, "and %u more", missing);
}

struct drop {
	size_t at;
	double rate;
};

static int by_rate(const void *a, const void *b)
{
	const struct drop *one = a, *two = b;

	if (one->rate != two->rate)
		return one->rate < two->rate ? 1 : -1;
	return one->at < two->at ? -1 : 1;
}

static void drops_draw(
	struct top_screen *screen, const struct top_sample *now, const struct top_sample *then)
{
	struct drop drops[DROPS_MAX];
	size_t count = 0;
	char a[16];

	for (size_t i = 0; i < now->count && count < DROPS_MAX; i++)
		if (begins(now->counter[i].name, "drop_") && now->counter[i].total)
			drops[count++] = (struct drop){i, then ? top_rate(now, then, i, -1) : 0};
	qsort(drops, count, sizeof(drops[0]), by_rate);
	row_add(screen, "%s", "");
	row_add(screen, "%-*s %9s %20s", NAME_COLUMNS, "DROPPED", "PER s", "IN ALL");
	for (size_t i = 0; i < count; i++)
		row_add(screen, "%-*.*s %9s %20" PRIu64, NAME_COLUMNS, NAME_COLUMNS,
			now->counter[drops[i].at].name + 5,
			short_number(then ? drops[i].rate : NO_RATE, a),
			now->counter[drops[i].at].total);
	if (!count)
		row_add(screen, "nothing");
}

void top_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, bool paused)
{
	screen->used = 0;
	head_draw(screen, now, then, paused);
	unsigned room = left(screen);

	// Of the rest: a third, and a half of what is left then.
	workers_draw(screen, now, then, room > 12 ? room / 3 - 2 : 2);
	room = left(screen);
	upstreams_draw(screen, now, then, room / 2 + 1);
	drops_draw(screen, now, then);
}
