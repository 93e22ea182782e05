// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/settings.h"

#include "gw/conf/conf.h"
#include "tests/sim/reuse.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD                                                          \
	"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n" \
	"workers: {loops: 1}\n"                                       \
	"handshakes: {rate: 400, prefix_rate: 60}\n"                  \
	"bodies: {memory: 1MB}\n"                                     \
	"cache: {memory: 1MB, entries: 1024}\n"                       \
	"observe: {entries: 32, confirm: 2, per_device: 2}\n"
#define PASSES(up, more)                                                   \
	"passthrough:\n"                                                   \
	"- {kid: \"40\", to: " up ", path: /vault, timeout: 3s" more "}\n" \
	"- {kid: \"41\", to: " up ", path: /vault, timeout: 3s, echo: large}\n"
#define BUILTIN                               \
	"- {path: /echo, to: builtin:echo}\n" \
	"- {path: /discard, to: builtin:discard}\n"
#define ROUTES(up)                                                                            \
	"- {path: /fresh/*, to: " up ", fresh: 10s, timeout: 3s}\n"                           \
	"- {path: /shared/*, methods: [GET, FETCH], fetch: query, to: " up ", timeout: 3s,\n" \
	"   cache: {scope: shared, default: 20s}, observe: {poll: 5s}}\n"                     \
	"- {path: /own/*, methods: [GET], to: " up ", timeout: 3s,\n"                         \
	"   cache: {scope: private, default: 20s}}\n" BUILTIN

#define GOOD   4 // of them can be started with
#define COPIES 3 // of each: the one before and the one that is prepared are not one

static const struct {
	const char *name, *text;
} files[] = {
	{"the first",
		HEAD "upstreams:\n"
		     "  up: {servers: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"], "
		     "max_inflight: 8}\n"
		     "routes:\n"
		     "- {path: /up/*, to: up, timeout: 3s}\n" ROUTES("up") PASSES("up", "")},
	{"another upstream",
		HEAD "upstreams:\n"
		     "  other: {servers: [\"http://127.0.0.1:3\"], max_inflight: 2}\n"
		     "routes:\n"
		     "- {path: /up/*, to: other, timeout: 2s}\n" ROUTES("other")
			     PASSES("other", ", rate: 50")},
	{"a server less, and a route more",
		HEAD "upstreams:\n"
		     "  up: {servers: [\"http://127.0.0.1:2\"], max_inflight: 8}\n"
		     "  other: {servers: [\"http://127.0.0.1:3\"]}\n"
		     "routes:\n"
		     "- {path: /more, to: other}\n"
		     "- {path: /up/*, to: up, timeout: 5s}\n" ROUTES("up")
			     PASSES("up", ", max_in_flight: 4")},
	{"few under way",
		HEAD "devices: {max_in_flight: 1}\n"
		     "upstreams:\n"
		     "  up: {servers: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"], "
		     "max_inflight: 1}\n"
		     "routes:\n"
		     "- {path: /up/*, to: up, timeout: 3s}\n" ROUTES("up")
			     PASSES("up", ", max_in_flight: 4")},
	{"what only a start takes",
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.9/24]}]\n"
		"workers: {loops: 1}\n"
		"routes:\n" BUILTIN},
	{"mistakes", HEAD "routes:\n- {path: /up/*, to: nobody}\n"},
};
#define FILES (sizeof(files) / sizeof(files[0]))

static unsigned present;

void settings_begin(void)
{
	present = 0;
}

const char *settings_change(void)
{
	present = sim_rnd(sim.no_faults ? GOOD : FILES);
	return files[present].name;
}

struct conf *settings_start(void)
{
	static struct conf *parsed[GOOD];

	// Nobody starts with a file that was refused.
	present %= GOOD;
	if (parsed[present])
		return parsed[present];
	must(!conf_parse("sim", files[present].text, strlen(files[present].text), &parsed[present],
		     stderr),
		"the configuration is not taken");
	reuse_conf(parsed[present]);
	return parsed[present];
}

int __wrap_conf_load_regular(const char *path, struct conf **conf, FILE *errors);
int __wrap_conf_load_regular(const char *path, struct conf **conf, FILE *errors)
{
#ifndef __SANITIZE_ADDRESS__ // which sees who uses one that is gone
	static struct conf *parsed[FILES][COPIES];
	static unsigned copy[FILES];
	struct conf **kept = &parsed[present][copy[present]++ % COPIES];

	if (*kept) {
		*conf = *kept;
		return 0;
	}
#endif
	int rc = conf_parse(path, files[present].text, strlen(files[present].text), conf, errors);

#ifndef __SANITIZE_ADDRESS__
	if (!rc) {
		*kept = *conf;
		reuse_conf(*conf);
	}
#endif
	return rc;
}
