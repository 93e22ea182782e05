// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/top_sample.h"

#include "base/clock.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_FIRST_US 64
#define NAME_MAX_BYTES  128

// What the screen shows nothing of is not kept.
static bool is_shown(const char *name)
{
	static const char *const begins[] = {"rx_requests", "rx_packets", "rx_bytes", "tx_packets",
		"answers", "exchanges", "drop_", "busy", "overload", "upstream.", "server."};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (!strncmp(name, begins[i], strlen(begins[i])))
			return true;
	return false;
}

static bool workers_read(struct top_counter *counter, const struct ctl_cbor *item)
{
	struct ctl_cbor workers = cli_inner(item, "workers"), part;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&workers);

	if (!workers.value)
		return true;
	counter->workers = calloc(TOP_WORKERS_MAX, sizeof(*counter->workers));
	if (!counter->workers)
		return false;
	while (counter->worker_count < TOP_WORKERS_MAX && ctl_cbor_next(&iter, &part))
		counter->workers[counter->worker_count++] =
			part.type == CTL_CBOR_UINT ? part.value : 0;
	return true;
}

static bool counter_add(struct top_sample *sample, const struct ctl_cbor *item)
{
	char name[CLI_VALUE_MAX];

	cli_value_text(name, item, "name");
	if (!is_shown(name))
		return true;
	if (sample->count == sample->room) {
		size_t room = sample->room ? 2 * sample->room : 512;
		struct top_counter *more = realloc(sample->counter, room * sizeof(*more));

		if (!more)
			return false;
		sample->counter = more;
		sample->room = room;
	}
	struct top_counter *counter = &sample->counter[sample->count];

	*counter = (struct top_counter){.name = strdup(name), .total = cli_uint(item, "total", 0)};
	if (!counter->name)
		return false;
	sample->count++;
	return workers_read(counter, item);
}

static int counters_take(struct cli *cli, struct top_sample *sample)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "stats");
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		if (counter_add(sample, &reply.message.map))
			continue;
		cli_complain("no memory");
		return CLI_FAILED;
	}
	return ret;
}

static int status_take(struct cli *cli, struct top_sample *sample)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	const struct ctl_cbor *map = &reply.message.map;
	char text[CLI_VALUE_MAX];
	int ret;

	cli_begin(cli, &request, "status");
	ret = cli_send(cli, &request, -1);
	if (ret == CLI_OK)
		ret = cli_receive(cli, &reply);
	if (ret != CLI_OK)
		return ret;
	struct ctl_cbor devices = cli_inner(map, "devices"), workers = cli_inner(map, "workers");
	struct ctl_cbor alarms = cli_inner(map, "alarms"), alarm;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&alarms);

	snprintf(sample->version, sizeof(sample->version), "%.31s",
		cli_value_text(text, map, "version"));
	snprintf(sample->state, sizeof(sample->state), "%.31s", cli_value_text(text, map, "state"));
	sample->uptime_ms = cli_uint(map, "uptime_ms", 0);
	sample->devices = cli_uint(&devices, "total", 0);
	sample->devices_max = cli_uint(&devices, "max", 0);
	sample->workers = (unsigned)workers.value;
	sample->alarms = (unsigned)alarms.value;
	if (ctl_cbor_next(&iter, &alarm) && alarm.type == CTL_CBOR_TEXT) {
		snprintf(sample->alarm, sizeof(sample->alarm), "%.*s",
			alarm.value < sizeof(sample->alarm) ? (int)alarm.value : 127,
			(const char *)alarm.data);
		cli_disarm(sample->alarm);
	}
	return CLI_OK;
}

int top_sample_take(struct cli *cli, struct top_sample *sample)
{
	int ret;

	*sample = (struct top_sample){.ms = clock_ms()};
	ret = status_take(cli, sample);
	return ret == CLI_OK ? counters_take(cli, sample) : ret;
}

void top_sample_free(struct top_sample *sample)
{
	for (size_t i = 0; i < sample->count; i++) {
		free(sample->counter[i].name);
		free(sample->counter[i].workers);
	}
	free(sample->counter);
	*sample = (struct top_sample){.ms = 0};
}

const struct top_counter *top_find(const struct top_sample *sample, const char *name, size_t hint)
{
	for (size_t i = 0; i < sample->count; i++) {
		size_t at = (hint + i) % sample->count;

		if (!strcmp(sample->counter[at].name, name))
			return &sample->counter[at];
	}
	return NULL;
}

static uint64_t value_of(const struct top_counter *counter, int worker)
{
	if (!counter)
		return 0;
	if (worker < 0)
		return counter->total;
	return (unsigned)worker < counter->worker_count ? counter->workers[worker] : 0;
}

double top_rate(const struct top_sample *now, const struct top_sample *then, size_t i, int worker)
{
	uint64_t new = value_of(&now->counter[i], worker);
	uint64_t old = value_of(top_find(then, now->counter[i].name, i), worker);

	if (now->ms <= then->ms || new < old)
		return 0;
	return (double)(new - old) * 1000 / (double)(now->ms - then->ms);
}

double top_rate_of(
	const struct top_sample *now, const struct top_sample *then, const char *name, int worker)
{
	const struct top_counter *counter = top_find(now, name, 0);

	return counter ? top_rate(now, then, (size_t)(counter - now->counter), worker) : 0;
}

uint64_t top_value(const struct top_sample *sample, const char *name)
{
	return value_of(top_find(sample, name, 0), -1);
}

void top_latency_add(struct top_latency *latency, const struct top_sample *now,
	const struct top_sample *then, const char *server, size_t hint)
{
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0; i < TOP_BUCKETS; i++) {
		if (i < TOP_BUCKETS - 1)
			snprintf(name, sizeof(name), "server.%s.latency_le_%uus", server,
				BUCKET_FIRST_US << i);
		else
			snprintf(name, sizeof(name), "server.%s.latency_le_inf", server);
		const struct top_counter *counter = top_find(now, name, hint);

		if (!counter)
			return;
		size_t at = (size_t)(counter - now->counter);
		uint64_t old = value_of(top_find(then, name, at), -1);

		latency->below[i] += counter->total > old ? counter->total - old : 0;
		hint = at + 1;
	}
}

const char *top_latency_text(const struct top_latency *latency, unsigned percent, char text[16])
{
	uint64_t all = latency->below[TOP_BUCKETS - 1];
	unsigned i = 0;

	while (i < TOP_BUCKETS - 1 && latency->below[i] * 100 < all * percent)
		i++;
	double us = (double)(BUCKET_FIRST_US << i);

	if (!all)
		snprintf(text, 16, "-");
	else if (i == TOP_BUCKETS - 1)
		snprintf(text, 16, "> 33 s");
	else if (us < 1000)
		snprintf(text, 16, "%.0f us", us);
	else if (us < 1e6)
		snprintf(text, 16, us < 1e4 ? "%.1f ms" : "%.0f ms", us / 1e3);
	else
		snprintf(text, 16, "%.1f s", us / 1e6);
	return text;
}
