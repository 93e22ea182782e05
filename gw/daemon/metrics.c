// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/metrics.h"

#include "base/clock.h"
#include "gw/conf/listen.h"
#include "gw/daemon/metrics_families.h"
#include "gw/daemon/metrics_inside.h"
#include "gw/daemon/page.h"
#include "gw/daemon/watchdog.h"
#include "gw/daemon/workers.h"
#include "gw/os/log.h"
#include "gw/web/headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COPY_MS     1000
#define PIECE_ROOM  16384 // bytes; more than the longest sample takes
#define UNAVAILABLE 503

static const char plain_type[] = "text/plain; version=0.0.4; charset=utf-8";
static const char openmetrics_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// ---- main's side

static void copy_make(struct metrics *metrics)
{
	const struct daemon *daemon = metrics->daemon;
	struct metrics_copy *next = &metrics->next;

	counters_copy_make(metrics->daemon, &next->counters);
	next->alarm_count = daemon->alarm_count;
	memcpy(next->alarm, daemon->alarm, sizeof(next->alarm));
	next->draining = daemon->stopping || daemon->drain.begun;
	next->ports_down = next->ports_gone = 0;
	for (size_t i = 0; i < daemon->port_count; i++) {
		const struct daemon_port *port = &daemon->port[i];

		next->ports_down |= (uint32_t)port->link_down << i;
		next->ports_gone |= (uint32_t)(port->device_gone || port->kernel_gone) << i;
	}
	pthread_mutex_lock(&metrics->lock);
	metrics->copy = *next;
	pthread_mutex_unlock(&metrics->lock);
	metrics->copy_ms = clock_ms() + COPY_MS;
}

struct metrics *metrics_new(struct daemon *daemon)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->daemon = daemon;
	metrics->started_s = (uint64_t)time(NULL);
	metrics->shows_urls = daemon->conf->metrics.listen &&
		(conf_listen_is_local(daemon->conf->metrics.listen) ||
			daemon->conf->metrics.server_urls);
	pthread_mutex_init(&metrics->lock, NULL);
	copy_make(metrics);
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

// ---- /metrics

// The text of one scrape, made in pieces.
struct scrape {
	struct metrics *metrics;
	struct counters at;
	struct counter counter;
	bool has_counter; // that is not written yet
	char family[METRIC_NAME_MAX];
	unsigned own; // of the families below, the next
	bool ended;
	bool openmetrics;
	size_t len, sent; // of the piece
	char piece[PIECE_ROOM];
	struct counters_copy copy;
};

static void head_once(
	struct scrape *scrape, struct metric_text *text, const struct metric_family *family)
{
	if (!strcmp(scrape->family, family->name))
		return;
	metric_head_write(text, family);
	if (!text->full)
		snprintf(scrape->family, sizeof(scrape->family), "%s", family->name);
}

static void counter_write(struct scrape *scrape, struct metric_text *text)
{
	struct metrics_sample sample;

	metrics_sample_make(&sample, &scrape->counter);
	head_once(scrape, text, &sample.family);
	metrics_sample_write(text, &sample, &scrape->counter);
}

// What is no counter: families of metrics alone.

static void build_write(struct scrape *scrape, struct metric_text *text)
{
	static const struct metric_family family = {
		METRICS_PREFIX "build", "version of postern", NULL, METRIC_INFO};
	const struct metric_label label = {"version", POSTERN_VERSION};

	head_once(scrape, text, &family);
	metric_value_write(text, &family, &label, 1, 1, 1);
}

static void start_write(struct scrape *scrape, struct metric_text *text)
{
	static const struct metric_family family = {METRICS_PREFIX "start_time_seconds",
		"when the daemon was ready, in Unix time", "seconds", METRIC_GAUGE};

	head_once(scrape, text, &family);
	metric_value_write(text, &family, NULL, 0, scrape->metrics->started_s, 1);
}

static void ready_write(struct scrape *scrape, struct metric_text *text)
{
	static const struct metric_family family = {
		METRICS_PREFIX "ready", "1 if /readyz answers 200", NULL, METRIC_GAUGE};
	struct metrics *metrics = scrape->metrics;

	pthread_mutex_lock(&metrics->lock);
	const bool ready =
		!metrics->copy.draining && !metrics->copy.ports_down && !metrics->copy.ports_gone;

	pthread_mutex_unlock(&metrics->lock);
	head_once(scrape, text, &family);
	metric_value_write(text, &family, NULL, 0, ready, 1);
}

static void stuck_write(struct scrape *scrape, struct metric_text *text)
{
	static const struct metric_family family = {METRICS_PREFIX "stuck_threads",
		"threads among main, workers and loops that have work and made no progress for 10 "
		"s",
		NULL, METRIC_GAUGE};

	head_once(scrape, text, &family);
	metric_value_write(
		text, &family, NULL, 0, watchdog_stuck(scrape->metrics->daemon->watchdog), 1);
}

static void busy_write(struct scrape *scrape, struct metric_text *text)
{
	static const struct metric_family family = {METRICS_PREFIX "worker_busy_seconds",
		"time that a worker spent on packets, in all", "seconds", METRIC_COUNTER};
	const struct dp *dp = scrape->metrics->daemon->dp;

	head_once(scrape, text, &family);
	for (unsigned i = 0; i < dp_worker_count(dp); i++) {
		char worker[12];
		const struct metric_label label = {"worker", worker};

		snprintf(worker, sizeof(worker), "%u", i);
		metric_value_write(text, &family, &label, 1,
			workers_busy_us(scrape->metrics->daemon, i), 1000000);
	}
}

static void end_write(struct scrape *scrape, struct metric_text *text)
{
	metric_end_write(text);
}

static void (*const own[])(struct scrape *scrape, struct metric_text *text) = {
	build_write, start_write, ready_write, stuck_write, busy_write, end_write};

// Writes the next counter or family. Returns false at the end.
static bool next_write(struct scrape *scrape, struct metric_text *text)
{
	if (!scrape->has_counter)
		scrape->has_counter = counters_next(&scrape->at, &scrape->counter);
	if (scrape->has_counter) {
		counter_write(scrape, text);
		scrape->has_counter = text->full;
		return true;
	}
	if (scrape->own == sizeof(own) / sizeof(own[0]))
		return false;
	own[scrape->own](scrape, text);
	scrape->own += !text->full;
	return true;
}

static void piece_make(struct scrape *scrape)
{
	struct metric_text text = {.buf = scrape->piece,
		.room = sizeof(scrape->piece),
		.openmetrics = scrape->openmetrics};

	while (!text.full && !scrape->ended) {
		char family[METRIC_NAME_MAX];
		size_t start = text.len;

		memcpy(family, scrape->family, sizeof(family));
		scrape->ended = !next_write(scrape, &text);
		if (!text.full)
			continue;
		// It comes whole in the next piece; one that no piece has room for is left out.
		text.len = start;
		memcpy(scrape->family, family, sizeof(family));
		if (!start)
			scrape->has_counter = false;
	}
	scrape->len = text.len;
	scrape->sent = 0;
}

static size_t scrape_read(void *state, char *buf, size_t room)
{
	struct scrape *scrape = state;

	while (scrape->sent == scrape->len) {
		if (scrape->ended)
			return 0;
		piece_make(scrape);
	}
	size_t len = scrape->len - scrape->sent;

	len = len < room ? len : room;
	memcpy(buf, scrape->piece + scrape->sent, len);
	scrape->sent += len;
	return len;
}

static void metrics_answer(void *arg, const char *accept, struct web_answer *answer)
{
	struct metrics *metrics = arg;
	struct scrape *scrape = malloc(sizeof(*scrape));

	if (!scrape) {
		answer->status = UNAVAILABLE;
		return;
	}
	scrape->metrics = metrics;
	scrape->at = (struct counters){
		.daemon = metrics->daemon, .grouped = true, .copy = &scrape->copy};
	scrape->has_counter = scrape->ended = false;
	scrape->family[0] = 0;
	scrape->own = 0;
	scrape->openmetrics = web_wants_openmetrics(accept);
	scrape->len = scrape->sent = 0;
	pthread_mutex_lock(&metrics->lock);
	scrape->copy = metrics->copy.counters;
	pthread_mutex_unlock(&metrics->lock);
	answer->type = scrape->openmetrics ? openmetrics_type : plain_type;
	answer->read = scrape_read;
	answer->done = free;
	answer->state = scrape;
}

// ---- /healthz and /readyz

static void say(struct web_answer *answer, const char *words, const char *name)
{
	int len = snprintf(answer->text + answer->len, sizeof(answer->text) - answer->len, "%s%s\n",
		words, name);

	if (len > 0 && (size_t)len < sizeof(answer->text) - answer->len)
		answer->len += (size_t)len;
}

static void health_answer(void *arg, const char *accept, struct web_answer *answer)
{
	const struct metrics *metrics = arg;
	const struct watchdog *watchdog = metrics->daemon->watchdog;
	char name[HEALTH_NAME_MAX];

	if (!watchdog_stuck(watchdog)) {
		say(answer, "ok", "");
		return;
	}
	answer->status = UNAVAILABLE;
	for (unsigned i = 0; i < HEALTH_THREADS_MAX; i++) {
		if (!watchdog_is_stuck(watchdog, i))
			continue;
		health_name(metrics->daemon, i, name);
		say(answer, "stuck: ", name);
	}
}

static void ready_answer(void *arg, const char *accept, struct web_answer *answer)
{
	struct metrics *metrics = arg;
	const struct daemon *daemon = metrics->daemon;

	pthread_mutex_lock(&metrics->lock);
	const bool draining = metrics->copy.draining;
	const uint32_t ports_down = metrics->copy.ports_down;
	const uint32_t ports_gone = metrics->copy.ports_gone;

	pthread_mutex_unlock(&metrics->lock);
	if (draining)
		say(answer, "draining", "");
	for (size_t i = 0; i < daemon->port_count; i++)
		if (ports_gone >> i & 1)
			say(answer, "its network device was removed: port ",
				daemon->port[i].conf->name);
		else if (ports_down >> i & 1)
			say(answer, "the link is down: port ", daemon->port[i].conf->name);
	if (answer->len)
		answer->status = UNAVAILABLE;
	else
		say(answer, "ready", "");
}

const struct web_page metrics_pages[] = {{"/", page_answer}, {"/figures.json", page_figures_answer},
	{"/metrics", metrics_answer}, {"/healthz", health_answer}, {"/readyz", ready_answer}};
const size_t metrics_page_count = sizeof(metrics_pages) / sizeof(metrics_pages[0]);

// ---- from start to stop

int metrics_open(struct daemon *daemon)
{
	struct error error;
	int rc;

	if (!strcmp(daemon->conf->metrics.listen, CONF_LISTEN_OFF))
		return 0;
	daemon->metrics = metrics_new(daemon);
	if (!daemon->metrics) {
		log_error("no memory");
		return -ENOMEM;
	}
	const struct web_conf conf = {
		.key = "metrics",
		.listen = daemon->conf->metrics.listen,
		.hosts = daemon->conf->metrics.hosts,
		.host_count = daemon->conf->metrics.host_count,
		.pages = metrics_pages,
		.page_count = metrics_page_count,
		.arg = daemon->metrics,
	};

	rc = web_create(&conf, &daemon->web, &error);
	if (rc)
		log_error("%s", error.text);
	return rc;
}

int metrics_start(struct daemon *daemon)
{
	int rc;

	if (!daemon->web)
		return 0;
	copy_make(daemon->metrics);
	rc = web_start(daemon->web);
	if (rc)
		log_error("the thread of metrics cannot start: %s", strerror(-rc));
	return rc;
}

void metrics_turn(struct daemon *daemon)
{
	if (daemon->metrics && clock_ms() >= daemon->metrics->copy_ms)
		copy_make(daemon->metrics);
}

void metrics_drain(struct daemon *daemon, bool draining)
{
	if (!daemon->metrics)
		return;
	pthread_mutex_lock(&daemon->metrics->lock);
	daemon->metrics->copy.draining = draining;
	pthread_mutex_unlock(&daemon->metrics->lock);
}

void metrics_close(struct daemon *daemon)
{
	web_free(daemon->web);
	daemon->web = NULL;
	metrics_free(daemon->metrics);
	daemon->metrics = NULL;
}
