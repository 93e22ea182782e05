// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/headers.h"

#include "gw/os/header_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(HEADER_LINES_MAX + 16 <= HTTP_HEADERS_MAX, "a request has 11 of its own");
_Static_assert(HEADER_LINES_ROOM <= HTTP_LINES_ROOM, "a head has room for them");

// An upstream's stand behind those of all routes.
struct up_headers {
	const struct conf *conf;
	struct header_lines *lines[]; // NULL: none, or those of its upstream
};

static size_t upstream_index(const struct up_headers *headers, const struct conf_upstream *upstream)
{
	return headers->conf->route_count + (size_t)(upstream - headers->conf->upstreams);
}

static int upstream_read(
	struct up_headers *headers, const struct conf_upstream *upstream, struct error *error)
{
	const struct conf_header *wrong;
	struct error why;
	int rc = header_lines_read(upstream->headers, upstream->header_count, NULL, 0,
		&headers->lines[upstream_index(headers, upstream)], &wrong, &why);

	return rc ? error_set(error, rc, "upstream %s: %s", upstream->name, why.text) : 0;
}

static int route_read(struct up_headers *headers, size_t index, struct error *error)
{
	const struct conf_route *route = &headers->conf->routes[index];
	const struct conf_header *wrong;
	struct error why;

	if (!route->header_count)
		return 0;
	int rc = header_lines_read(route->headers, route->header_count, route->upstream->headers,
		route->upstream->header_count, &headers->lines[index], &wrong, &why);
	return rc ? error_set(error, rc, "route %s: %s", route->path.text, why.text) : 0;
}

int up_headers_create(const struct conf *conf, struct up_headers **out, struct error *error)
{
	size_t count = conf->route_count + conf->upstream_count;
	struct up_headers *headers;
	int rc = 0;

	headers = calloc(1, sizeof(*headers) + count * sizeof(headers->lines[0]));
	if (!headers)
		return error_set(error, -ENOMEM, "headers: %s", strerror(ENOMEM));
	headers->conf = conf;
	for (size_t i = 0; !rc && i < conf->upstream_count; i++)
		rc = upstream_read(headers, &conf->upstreams[i], error);
	for (size_t i = 0; !rc && i < conf->route_count; i++)
		rc = route_read(headers, i, error);
	if (rc) {
		up_headers_free(headers);
		return rc;
	}
	*out = headers;
	return 0;
}

void up_headers_free(struct up_headers *headers)
{
	if (!headers)
		return;
	for (size_t i = 0; i < headers->conf->route_count + headers->conf->upstream_count; i++)
		header_lines_free(headers->lines[i]);
	free(headers);
}

static void lines_add(const struct header_lines *lines, struct http_request *req)
{
	for (size_t i = 0; lines && i < lines->count; i++)
		http_header_add_line(
			req, lines->line[i].text, lines->line[i].name_len, lines->line[i].len);
}

void up_headers_add_upstream(const struct up_headers *headers, const struct conf_upstream *upstream,
	struct http_request *req)
{
	lines_add(headers->lines[upstream_index(headers, upstream)], req);
}

void up_headers_add_route(
	const struct up_headers *headers, const struct conf_route *route, struct http_request *req)
{
	if (route->header_count)
		lines_add(headers->lines[route - headers->conf->routes], req);
	else
		up_headers_add_upstream(headers, route->upstream, req);
}
