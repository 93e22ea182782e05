// SPDX-License-Identifier: BSD-3-Clause
// Configuration files: what loads keeps the promises of gw/conf/conf.h, what does not says why.

#include "gw/conf/conf.h"
#include "gw/conf/headers.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

#define SAID_MAX 32768 // bytes of all that is said of one file

static void headers_check(const struct conf_header *headers, size_t count)
{
	FUZZ_CHECK(count <= CONF_HEADERS_MAX);
	for (size_t i = 0; i < count; i++) {
		FUZZ_CHECK(headers[i].name[0] && !strpbrk(headers[i].name, ": \t"));
		FUZZ_CHECK(strcasecmp(headers[i].name, "Host") && headers[i].line);
		if (headers[i].kind == CONF_HEADER_FILE)
			FUZZ_CHECK(headers[i].value[0] == '/');
		else
			FUZZ_CHECK(conf_header_value_valid(
				headers[i].value, strlen(headers[i].value)));
	}
}

static void upstreams_check(const struct conf *conf)
{
	for (size_t u = 0; u < conf->upstream_count; u++) {
		const struct conf_upstream *upstream = &conf->upstreams[u];

		FUZZ_CHECK(upstream->name[0] && upstream->line);
		FUZZ_CHECK(upstream->server_count >= 1 && upstream->timeout_ms >= 1);
		FUZZ_CHECK(!upstream->tls.cert == !upstream->tls.key);
		headers_check(upstream->headers, upstream->header_count);
		for (size_t s = 0; s < upstream->server_count; s++) {
			const struct conf_server *server = &upstream->servers[s];
			size_t base_len = strlen(server->base);
			FUZZ_CHECK(strstr(server->origin, server->authority));
			FUZZ_CHECK(!server->unix_path == (server->port != 0));
			FUZZ_CHECK(!base_len || server->base[0] == '/');
			FUZZ_CHECK(!base_len || server->base[base_len - 1] != '/');
		}
	}
}

static void routes_check(const struct conf *conf)
{
	for (size_t r = 0; r < conf->route_count; r++) {
		const struct conf_route *route = &conf->routes[r];

		FUZZ_CHECK((route->target == CONF_TO_UPSTREAM) == (route->upstream != NULL));
		FUZZ_CHECK((route->target == CONF_TO_UPSTREAM) == (route->timeout_ms != 0));
		FUZZ_CHECK(route->methods && !(route->methods & ~CONF_METHODS_ALL));
		FUZZ_CHECK(route->path.count <= CONF_SEGMENTS_MAX);
		FUZZ_CHECK(route->strip <= route->path.count);
		headers_check(route->headers, route->header_count);
		for (size_t s = 0; s < route->path.count; s++)
			FUZZ_CHECK(!strpbrk(route->path.segments[s].text, "/\\"));
	}
}

static void conf_promises(const struct conf *conf)
{
	FUZZ_CHECK(conf->port_count >= 1 && conf->port_count <= CONF_PORTS_MAX);
	for (size_t p = 0; p < conf->port_count; p++) {
		const struct conf_port *port = &conf->ports[p];

		FUZZ_CHECK(port->kind >= CONF_PORT_PCI && port->kind <= CONF_PORT_MEMIF);
		FUZZ_CHECK(port->name[0] && port->device[0] && port->line);
		FUZZ_CHECK((port->kernel == NULL) == (port->kind == CONF_PORT_AF_XDP));
		FUZZ_CHECK(port->address_count >= 1 && port->coap && port->mtu >= 1280);
	}
	FUZZ_CHECK(conf->workers.core_count >= 1);
	FUZZ_CHECK(conf->workers.core_count <= CONF_WORKERS_MAX);
	FUZZ_CHECK(conf->route_count >= 1);
	FUZZ_CHECK(conf->devices.store[0] == '/' && conf->control.socket[0] == '/');
	upstreams_check(conf);
	routes_check(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char said[SAID_MAX];
	FILE *errors = fmemopen(said, sizeof(said), "w");
	struct conf *conf;

	FUZZ_CHECK(errors);
	int rc = conf_parse("f", (const char *)data, len, &conf, errors);
	long told = ftell(errors);
	fclose(errors);
	FUZZ_CHECK(told < SAID_MAX && (rc == 0) == (told == 0) && (rc == 0) == (conf != NULL));
	for (long i = 0; i < told; i++)
		FUZZ_CHECK((uint8_t)said[i] >= 0x20 || said[i] == '\n');
	if (conf)
		conf_promises(conf);
	conf_free(conf);
	return 0;
}
