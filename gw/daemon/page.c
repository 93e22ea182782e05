// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/page.h"

#include "base/clock.h"
#include "gw/daemon/metrics_inside.h"
#include "gw/daemon/watchdog.h"
#include "gw/daemon/workers.h"
#include "gw/web/json.h"
#include "gw/web/page/page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNAVAILABLE 503

// A document on its way to the reader, and what it was made of.
struct figures {
	struct web_json json;
	size_t sent;
	struct metrics_copy copy;
};

// ---- counters

// Requests are there also when they are 0, so that who is asked nothing is shown, too.
static bool is_wanted(const struct counter *counter)
{
	size_t len = strlen(counter->name), end = strlen("_requests");

	return counter->value || counter->is_gauge ||
		(counter->label && len > end && !strcmp(counter->name + len - end, "_requests"));
}

static void numbers_write(struct web_json *json, const uint64_t *numbers, unsigned count)
{
	while (count && !numbers[count - 1])
		count--;
	web_json_open(json, NULL, '[');
	for (unsigned i = 0; i < count; i++)
		web_json_number(json, NULL, numbers[i]);
	web_json_close(json, ']');
}

// [name, label, upstream, value, parts]: parts are those of the workers, or buckets of a histogram,
// without zeros at the end.
static void counter_write(struct web_json *json, const struct counter *counter)
{
	web_json_open(json, NULL, '[');
	web_json_text(json, NULL, counter->name);
	web_json_text(json, NULL, counter->label ? counter->label_value : "");
	web_json_text(json, NULL, counter->upstream ? counter->upstream : "");
	web_json_number(json, NULL, counter->value);
	if (counter->bucket_count)
		numbers_write(json, counter->buckets, counter->bucket_count);
	else if (counter->worker_count > 1)
		numbers_write(json, counter->workers, counter->worker_count);
	web_json_close(json, ']');
}

static void counters_write(struct figures *figures, const struct metrics *metrics)
{
	struct counters at = {
		.daemon = metrics->daemon, .grouped = true, .copy = &figures->copy.counters};
	struct web_json *json = &figures->json;
	struct counter counter;

	web_json_open(json, "counters", '[');
	while (counters_next(&at, &counter))
		if (is_wanted(&counter))
			counter_write(json, &counter);
	web_json_close(json, ']');
}

// What each reason for a drop means, and where a server is.
static void words_write(struct figures *figures, const struct metrics *metrics)
{
	struct counters at = {
		.daemon = metrics->daemon, .grouped = true, .copy = &figures->copy.counters};
	struct web_json *json = &figures->json;
	struct counter counter;

	web_json_open(json, "help", '{');
	while (counters_next(&at, &counter))
		if (counter.value && !strncmp(counter.name, "drop_", 5))
			web_json_text(json, counter.name, counter.help);
	web_json_close(json, '}');
	web_json_open(json, "urls", '[');
	at = (struct counters){
		.daemon = metrics->daemon, .grouped = true, .copy = &figures->copy.counters};
	while (metrics->shows_urls && counters_next(&at, &counter)) {
		if (!counter.url || strcmp(counter.name, "server_up") != 0)
			continue;
		web_json_open(json, NULL, '[');
		web_json_text(json, NULL, counter.label_value);
		web_json_text(json, NULL, counter.url);
		web_json_close(json, ']');
	}
	web_json_close(json, ']');
}

// ---- the daemon

static void state_write(struct figures *figures, const struct metrics *metrics)
{
	const struct daemon *daemon = metrics->daemon;
	const struct metrics_copy *copy = &figures->copy;
	struct web_json *json = &figures->json;
	char name[HEALTH_NAME_MAX];

	web_json_text(json, "version", POSTERN_VERSION);
	web_json_number(json, "time_ms", clock_ms());
	web_json_number(json, "started_s", metrics->started_s);
	web_json_number(json, "now_s", (uint64_t)time(NULL));
	web_json_bool(json, "draining", copy->draining);
	web_json_open(json, "alarms", '[');
	for (size_t i = 0; i < copy->alarm_count; i++)
		web_json_text(json, NULL, copy->alarm[i]);
	web_json_close(json, ']');
	web_json_open(json, "stuck", '[');
	for (unsigned i = 0; i < HEALTH_THREADS_MAX; i++) {
		if (!watchdog_is_stuck(daemon->watchdog, i))
			continue;
		health_name(daemon, i, name);
		web_json_text(json, NULL, name);
	}
	web_json_close(json, ']');
	web_json_open(json, "workers_busy_us", '[');
	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		web_json_number(json, NULL, workers_busy_us(daemon, i));
	web_json_close(json, ']');
	web_json_number(json, "exchanges_max",
		(uint64_t)dp_worker_exchanges(daemon->dp) * dp_worker_count(daemon->dp));
	web_json_number(json, "devices_max", daemon->conf->devices.max);
}

static size_t figures_read(void *state, char *buf, size_t room)
{
	struct figures *figures = state;
	size_t len = figures->json.len - figures->sent;

	len = len < room ? len : room;
	memcpy(buf, figures->json.buf + figures->sent, len);
	figures->sent += len;
	return len;
}

static void figures_done(void *state)
{
	struct figures *figures = state;

	free(figures->json.buf);
	free(figures);
}

void page_figures_answer(void *arg, const char *accept, struct web_answer *answer)
{
	struct metrics *metrics = arg;
	struct figures *figures = malloc(sizeof(*figures));

	if (!figures) {
		answer->status = UNAVAILABLE;
		return;
	}
	figures->json = (struct web_json){.max = PAGE_JSON_MAX};
	figures->sent = 0;
	pthread_mutex_lock(&metrics->lock);
	figures->copy = metrics->copy;
	pthread_mutex_unlock(&metrics->lock);
	web_json_open(&figures->json, NULL, '{');
	state_write(figures, metrics);
	counters_write(figures, metrics);
	words_write(figures, metrics);
	web_json_close(&figures->json, '}');
	if (figures->json.full) {
		figures_done(figures);
		answer->status = UNAVAILABLE;
		return;
	}
	answer->type = "application/json";
	answer->read = figures_read;
	answer->done = figures_done;
	answer->state = figures;
}

void page_answer(void *arg, const char *accept, struct web_answer *answer)
{
	answer->type = "text/html; charset=utf-8";
	answer->policy = web_page_policy;
	answer->body = web_page_html;
	answer->body_len = web_page_len;
}
