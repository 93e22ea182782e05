// SPDX-License-Identifier: BSD-3-Clause
// Blocks of many devices in any order, of which some are given up and some devices go: each answer
// has the bytes of one body of its device, and in the end nothing is left.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES 6
#define TAGS    3
#define STEPS   6000
#define OUT     60
#define BLOCK   16

static struct server *server;
static struct bed *bed;
static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % below;
}

static uint64_t bodies_stat(enum up_stat stat)
{
	return up_loop_stat(bed->loop, bed->conf->upstream_count, stat);
}

static void setup(void)
{
	bed_routes =
		"- {path: /b0, to: up, timeout: 2s, batch: {path: /ok, max: 4, wait: 5ms}}\n"
		"- {path: /b1, to: up, timeout: 2s, batch: {path: /drip, max: 4, wait: 5ms}}\n"
		"- {path: /b2, to: up, timeout: 2s, batch: {path: /reset, max: 4, wait: 5ms}}\n"
		"- {path: /b3, to: up, timeout: 2s, batch: {path: /status/413, wait: 5ms}}\n";
	bed_log = "bodies: {memory: 1MB, per_device: 3, keep: 1s, idle: 2s}\n";
	server = bed_server("one");
	bed = bed_for(server, "max_inflight: 16");
}

static void teardown(void)
{
	bed_end(bed);
	server_stop(server);
}

TestSuite(upstream_body_storm, .init = setup, .fini = teardown);

static unsigned echoes;
static dp_handle out[OUT];

// The blocks of an echo are those of one body, from its first on.
static void echo_check(const char *answer)
{
	const char *at = strstr(answer, "<d");
	unsigned device, tag, version, num;

	if (!at)
		return;
	echoes++;
	for (unsigned i = 0; *at; i++, at += BLOCK) {
		unsigned d, t, v;

		if (strlen(at) < BLOCK)
			break; // the last one, or cut by a block of the answer
		cr_assert_eq(sscanf(at, "<d%ut%uv%5u%5u", &d, &t, &v, &num), 4, "%s", answer);
		if (!i)
			device = d, tag = t, version = v;
		cr_assert_eq(d + 1, bed->context, "of another device: %s", answer);
		cr_assert(d == device && t == tag && v == version, "mixed: %s", answer);
		cr_assert_eq(num, i, "not in order: %s", answer);
	}
}

static void pull(void)
{
	dp_handle handle;
	const char *answer = bed_pull(bed, &handle);

	echo_check(answer);
	for (unsigned i = 0; i < OUT; i++)
		if (out[i] == handle) {
			out[i] = 0;
			return;
		}
}

// What a device sends under one tag.
static struct stream {
	const char *path, *method;
	unsigned next, version;
} streams[DEVICES][TAGS];

static const char *any_path(void)
{
	static const char *const paths[] = {"echo", "echo", "echo", "ok", "big", "b0", "b0", "b1",
		"b2", "b3", "drip", "reset", "vanish", "status/204", "status/304", "status/500",
		"chunked", "hang", "cbor/echo", "honoured/reset"};

	return paths[any(sizeof(paths) / sizeof(paths[0]))];
}

static void push(void)
{
	static const char *const methods[] = {"PUT", "POST", "FETCH"};
	unsigned device = any(DEVICES), tag = any(TAGS);
	struct stream *s = &streams[device][tag];
	char line[256], block[32] = "", block2[32] = "";
	bool up = any(4), more = any(3);

	if (bed->out >= OUT)
		pull();
	if (up && (!s->path || !s->next)) {
		s->path = any_path();
		s->method = methods[any(3)];
		s->version++;
	}
	const char *path = up || (s->path && any(2)) ? s->path : any_path();
	const char *method = up || (!any(3) && s->path) ? s->method : "GET";
	unsigned num = s->next;

	if (up && !any(15))
		num = any(5); // out of order, or the last one again
	if (up && !num && s->next)
		s->version++;
	if (up)
		snprintf(block, sizeof(block), " block1=%02x", num << 4 | (more ? 8 : 0));
	if (!up || !any(4))
		snprintf(block2, sizeof(block2), " block2=%02x", (up ? 0 : any(4)) << 4 | any(7));
	snprintf(line, sizeof(line), "%s path=%s%s cf=%u%s%s%s 292=%02x |<d%ut%uv%05u%05u", method,
		path, any(6) ? "" : " etag=0102", any(40) ? 0 : 50, block2, block,
		any(10) ? "" : " size1=100", tag, device, tag, s->version % 100000, num);
	if (!up)
		*strrchr(line, '|') = 0;
	s->next = up ? more ? num + 1 : any(3) ? 0 : num : s->next;
	if (s->next > 12)
		s->next = 0;
	bed->device = device + 1;
	dp_handle handle = bed_push_deadline(bed, line, 100 + any(900));
	for (unsigned i = 0; i < OUT; i++)
		if (!out[i]) {
			out[i] = handle;
			break;
		}
}

static void pull_all(void)
{
	while (bed->out)
		pull();
}

Test(upstream_body_storm, each_answer_is_of_one_body_and_nothing_is_left)
{
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned victim = any(OUT);

		if (!any(20) && out[victim])
			bed_abandon(bed, out[victim]);
		if (!any(400))
			up_loop_device_gone(bed->loop, 1 + any(DEVICES), 3);
		if (!any(3) && bed->out)
			pull();
		push();
	}
	pull_all();
	cr_expect_gt(echoes, 10);
	for (uint32_t device = 1; device <= DEVICES; device++)
		up_loop_device_gone(bed->loop, device, 3);
	uint64_t until = bed_now_ms() + LONG_MS;

	while (bodies_stat(UP_STAT_body_bodies) || bodies_stat(UP_STAT_body_bytes)) {
		cr_assert(bed_now_ms() < until, "%u bodies of %u bytes stay",
			(unsigned)bodies_stat(UP_STAT_body_bodies),
			(unsigned)bodies_stat(UP_STAT_body_bytes));
		usleep(1000);
	}
	cr_expect_gt(bodies_stat(UP_STAT_body_completed), 100);
	cr_expect_gt(bodies_stat(UP_STAT_body_joined), 5);
	cr_expect_gt(bodies_stat(UP_STAT_body_lost), 5);
}
