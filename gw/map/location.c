// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/location.h"

#include "dataplane/coap/path.h"

#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

struct uri {
	struct slice scheme, authority, path, query;
	bool has_authority, has_query;
};

// RFC 3986 appendix B.
static void uri_split(struct uri *uri, const char *at)
{
	size_t len = strcspn(at, "#"), n;

	*uri = (struct uri){0};
	n = strcspn(at, ":/?#");
	if (n < len && at[n] == ':') {
		uri->scheme = (struct slice){at, n};
		at += n + 1;
		len -= n + 1;
	}
	if (len >= 2 && at[0] == '/' && at[1] == '/') {
		n = strcspn(at + 2, "/?#");
		uri->has_authority = true;
		uri->authority = (struct slice){at + 2, n};
		at += n + 2;
		len -= n + 2;
	}
	n = strcspn(at, "?#");
	uri->path = (struct slice){at, n};
	if (n < len) {
		uri->has_query = true;
		uri->query = (struct slice){at + n + 1, len - n - 1};
	}
}

static bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && !strncasecmp(slice.at, text, slice.len);
}

static bool authority_is(struct slice given, enum conf_scheme scheme, const char *ours)
{
	const char *port = scheme == CONF_HTTPS ? ":443" : ":80";
	size_t n = strlen(port);

	if (given.len > n && !memcmp(given.at + given.len - n, port, n))
		given.len -= n;
	return slice_is(given, ours);
}

static bool same_origin(
	const struct uri *uri, const struct map_request *msg, const struct conf_server *server)
{
	const char *scheme = server->scheme == CONF_HTTPS ? "https" : "http";

	if (uri->scheme.at && (!uri->has_authority || !slice_is(uri->scheme, scheme)))
		return false;
	if (!uri->has_authority)
		return true;
	return authority_is(uri->authority, server->scheme, server->authority) ||
		(msg->route->host &&
			authority_is(uri->authority, server->scheme, msg->route->host));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct decoder {
	struct map_location_part *part;
	unsigned count;
	uint8_t *at, *end;
	bool failed;
};

static void part_add(struct decoder *d, const uint8_t *bytes, size_t len)
{
	if (d->count == MAP_LOCATION_PARTS || len > MAP_LOCATION_LEN) {
		d->failed = true;
		return;
	}
	d->part[d->count++] = (struct map_location_part){bytes, (uint16_t)len};
}

// Percent-decodes one part into the decoder's room. Returns its length, or -1.
static int part_decode(struct decoder *d, const char *text, size_t len)
{
	uint8_t *start = d->at;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '%') {
			if (len - i < 3)
				return -1;
			int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
			if (high < 0 || low < 0)
				return -1;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (d->at == d->end)
			return -1;
		*d->at++ = c;
	}
	return (int)(d->at - start);
}

// Appends the segments of a path that starts with a slash; "." and ".." are resolved. "/a/" has
// the segments "a" and "".
static void path_decode(struct decoder *d, const char *text, size_t len)
{
	while (len && !d->failed) {
		text++; // the slash
		len--;
		const char *slash = len ? memchr(text, '/', len) : NULL;
		size_t n = slash ? (size_t)(slash - text) : len;
		const uint8_t *bytes = d->at;
		int decoded = part_decode(d, text, n);
		bool last = n == len;

		if (decoded < 0) {
			d->failed = true;
			return;
		}
		bool up = decoded == 2 && !memcmp(bytes, "..", 2);
		if (up && d->count)
			d->count--;
		if (up || (decoded == 1 && bytes[0] == '.')) {
			if (last) // "/a/." is "/a/"
				part_add(d, bytes, 0);
		} else {
			part_add(d, bytes, (size_t)decoded);
		}
		text += n;
		len -= n;
	}
}

static void query_decode(struct decoder *d, struct slice query)
{
	const char *at = query.at, *end = query.at + query.len;

	for (;;) {
		const char *amp = memchr(at, '&', (size_t)(end - at));
		size_t n = amp ? (size_t)(amp - at) : (size_t)(end - at);
		const uint8_t *bytes = d->at;
		int decoded = part_decode(d, at, n);

		if (decoded < 0 || !coap_text_ok(bytes, (size_t)decoded)) {
			d->failed = true;
			return;
		}
		part_add(d, bytes, (size_t)decoded);
		if (!amp)
			return;
		at = amp + 1;
	}
}

// The path of the request's own URL, as the server saw it.
static bool request_path(struct decoder *d, const struct map_request *msg,
	const struct conf_server *server, unsigned *base_count)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned index = 0;

	path_decode(d, server->base, strlen(server->base));
	path_decode(d, msg->route->prefix, strlen(msg->route->prefix));
	*base_count = d->count;
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option))
		if (option.number == COAP_OPT_URI_PATH && index++ >= msg->route->strip)
			part_add(d, option.value, option.len);
	return !d->failed;
}

static bool part_equal(const struct map_location_part *a, const struct map_location_part *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

// Location as the device sees it: the segments that the route cut off, then what stands behind
// base and prefix.
static bool path_for_device(struct map_location *location, const struct decoder *full,
	unsigned base_count, const struct map_request *msg)
{
	struct decoder out = {.part = location->path};
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned index = 0;

	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option))
		if (option.number == COAP_OPT_URI_PATH && index++ < msg->route->strip)
			part_add(&out, option.value, option.len);
	for (unsigned i = base_count; i < full->count; i++) {
		const struct map_location_part *part = &full->part[i];

		if (!coap_segment_ok(part->bytes, part->len) || (!part->len && i + 1 < full->count))
			return false;
		part_add(&out, part->bytes, part->len);
	}
	// "/" alone is no segment at all.
	if (out.count == 1 && !out.part[0].len)
		out.count = 0;
	location->path_count = out.count;
	return !out.failed;
}

bool map_location_parse(struct map_location *location, const char *value,
	const struct map_request *msg, const struct conf_server *server)
{
	struct map_location_part own[MAP_LOCATION_PARTS], full[MAP_LOCATION_PARTS];
	struct decoder d = {
		.part = own, .at = location->room, .end = location->room + MAP_LOCATION_ROOM};
	unsigned base_count, own_count;
	struct uri uri;

	location->path_count = location->query_count = 0;
	uri_split(&uri, value);
	if (!same_origin(&uri, msg, server) || !request_path(&d, msg, server, &base_count))
		return false;
	own_count = d.count;

	d.part = full;
	d.count = 0;
	bool absolute = uri.has_authority || (uri.path.len && uri.path.at[0] == '/');
	if (!absolute) {
		// RFC 3986 section 5.2.3: all of the request's path but its last segment.
		d.count = uri.path.len && own_count ? own_count - 1 : own_count;
		memcpy(full, own, d.count * sizeof(full[0]));
	}
	if (uri.path.len && !absolute) {
		char slashed[MAP_LOCATION_ROOM];
		if (uri.path.len >= sizeof(slashed))
			return false;
		slashed[0] = '/';
		memcpy(slashed + 1, uri.path.at, uri.path.len);
		path_decode(&d, slashed, uri.path.len + 1);
	} else {
		path_decode(&d, uri.path.at, uri.path.len);
	}
	if (d.failed || d.count < base_count)
		return false;
	for (unsigned i = 0; i < base_count; i++)
		if (!part_equal(&full[i], &own[i]))
			return false;
	if (!path_for_device(location, &d, base_count, msg))
		return false;

	d.part = location->query;
	d.count = 0;
	if (uri.has_query)
		query_decode(&d, uri.query);
	location->query_count = d.count;
	return !d.failed && location->path_count + location->query_count > 0;
}
