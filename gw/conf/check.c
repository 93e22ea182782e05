// SPDX-License-Identifier: BSD-3-Clause
// Checks that involve several values: names that must agree or differ, keys that need others.

#include "gw/conf/check.h"

#include "base/fnv.h"
#include "dataplane/coap/message.h"
#include "gw/conf/cached.h"
#include "gw/conf/check_pass.h"
#include "gw/conf/headers.h"
#include "gw/conf/marks.h"
#include "gw/conf/schema.h"
#include "gw/conf/trust_name.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL_PREFIX "pn-"
#define NETDEV_MAX    15 // bytes of a netdev's name

static const char discard_name[] = "builtin:discard";
static const char echo_name[] = "builtin:echo";
static const char core_name[] = "builtin:core";

#define CORE_TIMEOUT_MS 3000

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool device_is_netdev(const struct conf_port *port)
{
	return port->kind == CONF_PORT_TAP || port->kind == CONF_PORT_AF_PACKET ||
		port->kind == CONF_PORT_AF_XDP;
}

static bool device_has_name(const struct conf_port *port, const char *name)
{
	return device_is_netdev(port) && same(port->device, name);
}

static int kernel_name(struct conf *conf, size_t p, struct conf_mistakes *m)
{
	struct conf_port *port = &conf->ports[p];

	if (port->kind == CONF_PORT_AF_XDP) {
		if (port->kernel)
			conf_mistake(m, conf_mark_of(conf, &port->kernel),
				"ports[%zu].kernel: has no use with af_xdp, where the kernel keeps "
				"all "
				"that is not CoAP",
				p);
		return 0;
	}
	if (port->kernel || !port->name || conf_line(conf, &port->kernel))
		return 0;
	if (strlen(KERNEL_PREFIX) + strlen(port->name) > NETDEV_MAX) {
		conf_mistake(m, conf_mark_of(conf, &port->name),
			"ports[%zu].kernel: is needed, since the default " KERNEL_PREFIX
			"%s has more than %d bytes",
			p, port->name, NETDEV_MAX);
		return 0;
	}
	if (asprintf(&port->kernel, KERNEL_PREFIX "%s", port->name) < 0) {
		port->kernel = NULL;
		return -ENOMEM;
	}
	return 0;
}

// Where the name of a port's kernel TAP comes from.
static struct conf_mark kernel_mark(const struct conf *conf, const struct conf_port *port)
{
	struct conf_mark at = conf_mark_of(conf, &port->kernel);

	return at.line ? at : conf_mark_of(conf, &port->name);
}

static void port_pair_check(const struct conf *conf, size_t p, size_t q, struct conf_mistakes *m)
{
	const struct conf_port *port = &conf->ports[p], *other = &conf->ports[q];

	if (same(port->name, other->name))
		conf_mistake(m, conf_mark_of(conf, &port->name),
			"ports[%zu].name: %s is the name of the port in line %u, too", p,
			port->name, other->line);
	else if (same(port->kernel, other->kernel))
		conf_mistake(m, kernel_mark(conf, port),
			"ports[%zu].kernel: %s is the kernel TAP of the port in line %u, too", p,
			port->kernel, other->line);
	bool clash = device_is_netdev(port)
		? device_has_name(other, port->device)
		: port->kind == other->kind && same(port->device, other->device);
	if (clash)
		conf_mistake(m, conf_mark_of(conf, &port->device),
			"ports[%zu]: %s is the device of the port in line %u, too", p, port->device,
			other->line);
}

// Compares an address with all that stand before it.
static void address_check(const struct conf *conf, size_t p, size_t a, struct conf_mistakes *m)
{
	const struct conf_prefix *address = &conf->ports[p].addresses[a];

	for (size_t q = 0; q <= p; q++) {
		size_t end = q < p ? conf->ports[q].address_count : a;
		for (size_t b = 0; b < end; b++) {
			const struct conf_prefix *other = &conf->ports[q].addresses[b];
			if (address->family == 0 || address->family != other->family ||
				memcmp(address->addr, other->addr, sizeof(address->addr)))
				continue;
			conf_mistake(m, conf_mark_of(conf, address),
				"ports[%zu].addresses[%zu]: the address stands in line %u already",
				p, a, other->line);
			return;
		}
	}
}

static int ports_check(struct conf *conf, struct conf_mistakes *m)
{
	for (size_t p = 0; p < conf->port_count; p++) {
		struct conf_port *port = &conf->ports[p];

		if (kernel_name(conf, p, m))
			return -ENOMEM;
		if (port->kind && port->kind != CONF_PORT_MEMIF &&
			conf_line(conf, &port->memif_role))
			conf_mistake(m, conf_mark_of(conf, &port->memif_role),
				"ports[%zu].memif_role: has no use without memif", p);
		for (size_t q = 0; q < p; q++)
			port_pair_check(conf, p, q, m);
		for (size_t a = 0; a < port->address_count; a++)
			address_check(conf, p, a, m);
	}
	for (size_t p = 0; p < conf->port_count; p++)
		for (size_t q = 0; q < conf->port_count; q++)
			if (conf->ports[p].kernel &&
				device_has_name(&conf->ports[q], conf->ports[p].kernel))
				conf_mistake(m, kernel_mark(conf, &conf->ports[p]),
					"ports[%zu].kernel: %s is the device of the port in line "
					"%u",
					p, conf->ports[p].kernel, conf->ports[q].line);
	return 0;
}

// The last CPU that this process might run on when it was asked first. Later, when a reload asks,
// the threads beside the workers keep off the workers' CPUs, and the default would be another one.
static unsigned last_cpu(void)
{
	static int last = -1; // of main's thread, which reads all configurations
	cpu_set_t set;

	if (last < 0 && !sched_getaffinity(0, sizeof(set), &set))
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				last = cpu;
	return last < 0 ? 0 : last;
}

static bool core_is_there(const struct conf_workers *workers, size_t count, uint16_t core)
{
	for (size_t i = 0; i < count; i++)
		if (workers->cores[i] == core)
			return true;
	return false;
}

// DPDK's TAP driver writes beyond its stack when it starts more queues than this: it puts the
// descriptors of both kinds into a message that has room for eight.
#define TAP_WORKERS_MAX 4

static int workers_check(struct conf *conf, struct conf_mistakes *m)
{
	struct conf_workers *workers = &conf->workers;

	for (size_t i = 0; i < workers->core_count && !workers->share_cpus; i++)
		if (core_is_there(workers, i, workers->cores[i]))
			conf_mistake(m, conf_mark_of(conf, &workers->cores[i]),
				"workers.cores: CPU %u is in the list twice, which only "
				"share_cpus allows",
				workers->cores[i]);
	for (size_t p = 0; p < conf->port_count; p++)
		if (conf->ports[p].kind == CONF_PORT_TAP && workers->core_count > TAP_WORKERS_MAX)
			conf_mistake(m, conf_mark_of(conf, &workers->cores[TAP_WORKERS_MAX]),
				"workers.cores: a TAP port serves at most %d workers",
				TAP_WORKERS_MAX);
	if (workers->share_cpus && workers->mode == CONF_MODE_POLL)
		conf_mistake(m, conf_mark_of(conf, &workers->mode),
			"workers.mode: poll would keep the CPU from the workers that share it");
	if (!workers->cores) {
		workers->cores = malloc(sizeof(workers->cores[0]));
		if (!workers->cores)
			return -ENOMEM;
		workers->cores[0] = last_cpu();
		workers->core_count = 1;
	}
	if (same(workers->isa, CONF_ISA_AUTO)) {
		free(workers->isa);
		workers->isa = NULL;
	}
	return 0;
}

static void tls_check(
	const struct conf *conf, const struct conf_upstream *upstream, struct conf_mistakes *m)
{
	const struct conf_tls *tls = &upstream->tls;
	size_t https = 0;

	for (size_t s = 0; s < upstream->server_count; s++)
		https += upstream->servers[s].scheme == CONF_HTTPS || !upstream->servers[s].text;
	if (tls->line && upstream->servers && !https)
		conf_mistake(m, conf_mark_of(conf, &tls->line),
			"upstreams.%s.tls: has no use, since no server is https or h2",
			upstream->name);
	if (tls->cert && !tls->key && !conf_line(conf, &tls->key))
		conf_mistake(m, conf_mark_of(conf, &tls->cert),
			"upstreams.%s.tls.cert: needs \"key\" beside it", upstream->name);
	if (tls->key && !tls->cert && !conf_line(conf, &tls->cert))
		conf_mistake(m, conf_mark_of(conf, &tls->key),
			"upstreams.%s.tls.key: needs \"cert\" beside it", upstream->name);
}

static bool server_same(const struct conf_server *a, const struct conf_server *b)
{
	if (a->unix_path || b->unix_path)
		return same(a->unix_path, b->unix_path);
	return a->http2 == b->http2 && same(a->origin, b->origin) && same(a->base, b->base);
}

static const char *version_of(const struct conf_server *server)
{
	return server->http2 ? "HTTP/2" : "HTTP/1.1";
}

static void weights_check(
	const struct conf *conf, const struct conf_upstream *upstream, struct conf_mistakes *m)
{
	for (size_t s = 0; s < upstream->server_count; s++)
		if (upstream->servers[s].weight || !upstream->servers[s].text)
			return;
	if (upstream->servers && !m->count) // a weight that is none counts as 0
		conf_mistake(m, conf_mark_of(conf, &upstream->servers),
			"upstreams.%s.servers: none gets requests, since all have weight 0",
			upstream->name);
}

static int servers_name(const struct conf_upstream *upstream)
{
	for (size_t s = 0; s < upstream->server_count; s++)
		if (asprintf(&upstream->servers[s].name, "%s.%zu", upstream->name, s) < 0) {
			upstream->servers[s].name = NULL;
			return -ENOMEM;
		}
	return 0;
}

static int upstreams_check(const struct conf *conf, struct conf_mistakes *m)
{
	for (size_t u = 0; u < conf->upstream_count; u++) {
		const struct conf_upstream *upstream = &conf->upstreams[u];

		if (!upstream->name)
			continue;
		if (servers_name(upstream))
			return -ENOMEM;
		char owner[CONF_QUOTE_MAX];
		snprintf(owner, sizeof(owner), "upstreams.%s", upstream->name);
		conf_headers_check(conf, owner, upstream->headers, upstream->header_count, m);
		tls_check(conf, upstream, m);
		weights_check(conf, upstream, m);
		for (size_t s = 0; s < upstream->server_count; s++) {
			const struct conf_server *server = &upstream->servers[s];
			const struct conf_server *first = &upstream->servers[0];
			if (server->text && first->text && server->http2 != first->http2)
				conf_mistake(m, conf_mark_of(conf, server),
					"upstreams.%s.servers[%zu]: is %s, but the server in line "
					"%u is %s; an upstream has either",
					upstream->name, s, version_of(server), first->line,
					version_of(first));
			for (size_t t = 0; t < s; t++) {
				const struct conf_server *other = &upstream->servers[t];
				if (!server_same(server, other))
					continue;
				conf_mistake(m, conf_mark_of(conf, server),
					"upstreams.%s.servers[%zu]: the server stands in line %u "
					"already",
					upstream->name, s, other->line);
				break;
			}
		}
	}
	return 0;
}

// Whether every path that matches b also matches a.
static bool pattern_covers(const struct conf_pattern *a, const struct conf_pattern *b)
{
	if (b->count < a->count || (!a->rest && (b->rest || b->count > a->count)))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!a->segments[i].any &&
			(b->segments[i].any || strcmp(a->segments[i].text, b->segments[i].text)))
			return false;
	return true;
}

static void shadow_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	for (size_t q = 0; route->path.text && route->methods && q < r; q++) {
		const struct conf_route *earlier = &conf->routes[q];
		if (!earlier->path.text || (route->methods & ~earlier->methods) ||
			!pattern_covers(&earlier->path, &route->path))
			continue;
		conf_mistake(m, conf_mark_of(conf, &route->path),
			"routes[%zu].path: is never reached, since the route in line %u takes all "
			"its "
			"requests",
			r, earlier->line);
		return;
	}
}

static void target_unknown(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const char *names[CONF_UPSTREAMS_MAX + 4] = {discard_name, echo_name, core_name};
	const char *to = conf->routes[r].to;
	char quoted[CONF_QUOTE_MAX];
	size_t count = 3;

	for (size_t u = 0; u < conf->upstream_count; u++)
		if (conf->upstreams[u].name)
			names[count++] = conf->upstreams[u].name;
	const char *nearest =
		conf_mistakes_full(m) ? NULL : conf_nearest(to, names, sizeof(names[0]));
	conf_mistake(m, conf_mark_of(conf, &conf->routes[r].to),
		"routes[%zu].to: there is no upstream \"%s\"%s%s%s", r, conf_quote(quoted, to),
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

// A builtin answers without sending a request, so the keys that change one make no sense with it.
static void builtin_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];
	const struct {
		const char *name;
		const void *field;
	} keys[] = {
		{"timeout", &route->timeout_ms},
		{"fetch", &route->fetch},
		{"idempotency", &route->idempotency},
		{"translate", &route->translate},
		{"host", &route->host},
		{"strip", &route->strip},
		{"prefix", &route->prefix},
		{"headers", &route->headers},
		{"status", &route->statuses},
		{"batch", &route->batch.line},
		{"cache", &route->cache.line},
		{"observe", &route->observe.line},
	};

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (conf_line(conf, keys[k].field))
			conf_mistake(m, conf_mark_of(conf, keys[k].field),
				"routes[%zu].%s: has no use with %s", r, keys[k].name, route->to);
}

static void target_find(struct conf *conf, size_t r, struct conf_mistakes *m)
{
	struct conf_route *route = &conf->routes[r];

	if (!route->to)
		return;
	if (same(route->to, discard_name) || same(route->to, echo_name)) {
		route->target = same(route->to, echo_name) ? CONF_TO_ECHO : CONF_TO_DISCARD;
		builtin_check(conf, r, m);
		return;
	}
	if (same(route->to, core_name)) {
		route->target = CONF_TO_CORE;
		if (!conf_line(conf, &route->methods))
			route->methods = 1 << COAP_GET;
		else if (route->methods != 1 << COAP_GET)
			conf_mistake(m, conf_mark_of(conf, &route->methods),
				"routes[%zu].methods: must be GET alone with %s", r, core_name);
		builtin_check(conf, r, m);
		route->timeout_ms = CORE_TIMEOUT_MS;
		return;
	}
	for (size_t u = 0; u < conf->upstream_count && !route->upstream; u++)
		if (same(conf->upstreams[u].name, route->to))
			route->upstream = &conf->upstreams[u];
	if (!route->upstream)
		target_unknown(conf, r, m);
	else if (!conf_line(conf, &route->timeout_ms))
		route->timeout_ms = route->upstream->timeout_ms;
}

// A batch that is sent when half of the time is over leaves its server too little.
static void batch_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	if (!route->batch.line || !route->upstream)
		return;
	if (!(route->methods & (1 << COAP_POST | 1 << COAP_PUT)))
		conf_mistake(m, conf_mark_of(conf, &route->batch.line),
			"routes[%zu].batch: has no use without POST or PUT", r);
	if (route->batch.wait_ms > route->timeout_ms / 2)
		conf_mistake(m,
			conf_mark_of(conf,
				conf_line(conf, &route->batch.wait_ms)
					? (const void *)&route->batch.wait_ms
					: (const void *)&route->batch.line),
			"routes[%zu].batch.wait: must be at most half of the route's timeout, %u "
			"ms",
			r, route->timeout_ms / 2);
}

static void formats_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	if (route->format_count && !(route->methods & ~(1 << COAP_GET | 1 << COAP_DELETE)))
		conf_mistake(m, conf_mark_of(conf, &route->formats),
			"routes[%zu].content_formats: has no use, since no method of the route has "
			"a payload",
			r);
	for (size_t i = 0; i < route->format_count && !m->count; i++) // what is no number is 0
		for (size_t k = 0; k < i; k++)
			if (route->formats[i] == route->formats[k])
				conf_mistake(m, conf_mark_of(conf, &route->formats[i]),
					"routes[%zu].content_formats: %u is in the list twice", r,
					route->formats[i]);
}

// "404: 4.00", whose words have their forms.
static void statuses_read(struct conf_route *route)
{
	for (size_t i = 0; i < route->status_count; i++) {
		struct conf_status *status = &route->statuses[i];

		if (!status->name || !status->text)
			continue; // a mistake
		status->status = (uint16_t)strtoul(status->name, NULL, 10);
		status->code = COAP_CODE(status->text[0] - '0',
			10 * (status->text[2] - '0') + status->text[3] - '0');
	}
}

static uint64_t route_id(const struct conf_route *route)
{
	uint64_t id = FNV_EMPTY;

	if (!route->path.text || !route->to)
		return 0;
	id = fnv_add(id, route->path.text, strlen(route->path.text) + 1);
	id = fnv_add(id, route->to, strlen(route->to) + 1);
	return fnv_add(id, &route->methods, sizeof(route->methods));
}

static void routes_check(struct conf *conf, struct conf_mistakes *m)
{
	for (size_t r = 0; r < conf->route_count; r++) {
		struct conf_route *route = &conf->routes[r];

		if (!conf_line(conf, &route->methods))
			route->methods = CONF_METHODS_ALL;
		route->id = route_id(route);
		target_find(conf, r, m);
		char owner[32];
		snprintf(owner, sizeof(owner), "routes[%zu]", r);
		conf_headers_check(conf, owner, route->headers, route->header_count, m);
		batch_check(conf, r, m);
		formats_check(conf, r, m);
		statuses_read(route);
		shadow_check(conf, r, m);
		if (route->path.text && route->strip > route->path.count)
			conf_mistake(m, conf_mark_of(conf, &route->strip),
				"routes[%zu].strip: cuts off more than the %zu segments that the "
				"path "
				"has for sure",
				r, route->path.count);
	}
}

static void policies_check(struct conf *conf)
{
	for (size_t p = 0; p < conf->policy_count; p++) {
		struct conf_policy *policy = &conf->policies[p];

		for (size_t a = 0; a < policy->allow_count; a++)
			if (!conf_line(conf, &policy->allow[a].methods))
				policy->allow[a].methods = CONF_METHODS_ALL;
	}
}

// One device must not be able to take all exchanges of its worker. A request may use two: its own,
// and one for the answer that is still unacknowledged when it times out.
static void devices_check(struct conf *conf, struct conf_mistakes *m)
{
	if (conf->workers.exchanges && conf->devices.max_in_flight > conf->workers.exchanges / 4)
		conf_mistake(m, conf_mark_of(conf, &conf->devices.max_in_flight),
			"devices.max_in_flight: must be at most a quarter of workers.exchanges, %u",
			conf->workers.exchanges / 4);
}

static void edhoc_check(struct conf *conf, struct conf_mistakes *m)
{
	const struct conf_edhoc *edhoc = &conf->edhoc;

	for (size_t i = 0; i < edhoc->trust_count; i++)
		for (size_t j = 0; j < i && edhoc->trust[i].name; j++)
			if (edhoc->trust[j].name &&
				conf_trust_names_overlap(
					edhoc->trust[i].name, edhoc->trust[j].name))
				conf_mistake(m, conf_mark_of(conf, &edhoc->trust[i].name),
					"edhoc.trust[%zu].name: could be a name of "
					"edhoc.trust[%zu]",
					i, j);
}

int conf_check(struct conf *conf, struct conf_mistakes *mistakes)
{
	if (ports_check(conf, mistakes) || workers_check(conf, mistakes))
		return -ENOMEM;
	if (upstreams_check(conf, mistakes))
		return -ENOMEM;
	routes_check(conf, mistakes);
	conf_cached_check(conf, mistakes);
	policies_check(conf);
	if (conf_passes_check(conf, mistakes))
		return -ENOMEM;
	devices_check(conf, mistakes);
	edhoc_check(conf, mistakes);
	if (same(conf->devices.kek, CONF_KEK_CREDENTIAL)) {
		free(conf->devices.kek);
		conf->devices.kek = NULL;
	}
	return 0;
}
