// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/check_pass.h"

#include "gw/conf/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The largest OSCORE payload that a datagram can have.
#define ANSWER_MAX 65536

static unsigned digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

// Decodes hex that has its form, of room bytes at most: what is not so is a mistake already.
static uint8_t hex_read(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = text ? strlen(text) / 2 : 0;

	if (len > room)
		return 0;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	return (uint8_t)len;
}

static int label_make(struct conf_pass *pass)
{
	char text[sizeof("passthrough:/") + 2 * (CONF_KID_MAX + CONF_CONTEXT_MAX)];
	size_t len = (size_t)snprintf(text, sizeof(text), "passthrough:");

	for (size_t i = 0; i < pass->kid_len; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%02x", pass->kid_bytes[i]);
	if (pass->kid_context)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "/");
	for (size_t i = 0; i < pass->kid_context_len; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%02x", pass->kid_context_bytes[i]);
	pass->route.path.text = strdup(text);
	return pass->route.path.text ? 0 : -ENOMEM;
}

static void upstream_find(struct conf *conf, size_t p, struct conf_mistakes *m)
{
	const char *names[CONF_UPSTREAMS_MAX + 1] = {NULL};
	struct conf_route *route = &conf->passes[p].route;
	char quoted[CONF_QUOTE_MAX];
	size_t count = 0;

	if (!route->to)
		return;
	for (size_t u = 0; u < conf->upstream_count && !route->upstream; u++) {
		const char *name = conf->upstreams[u].name;

		if (!name)
			continue;
		names[count++] = name;
		if (!strcmp(name, route->to))
			route->upstream = &conf->upstreams[u];
	}
	if (route->upstream) {
		if (!conf_line(conf, &route->timeout_ms))
			route->timeout_ms = route->upstream->timeout_ms;
		return;
	}
	const char *nearest = conf_mistakes_full(m) || !count
		? NULL
		: conf_nearest(route->to, names, sizeof(names[0]));

	conf_mistake(m, conf_mark_of(conf, &route->to),
		"passthrough[%zu].to: there is no upstream \"%s\"%s%s%s", p,
		conf_quote(quoted, route->to), nearest ? "; did you mean " : "",
		nearest ? nearest : "", nearest ? "?" : "");
}

// One without kid context has all messages of its kid.
static bool have_one_name(const struct conf_pass *a, const struct conf_pass *b)
{
	return a->kid_len == b->kid_len && !memcmp(a->kid_bytes, b->kid_bytes, a->kid_len) &&
		(!a->kid_context || !b->kid_context ||
			(a->kid_context_len == b->kid_context_len &&
				!memcmp(a->kid_context_bytes, b->kid_context_bytes,
					a->kid_context_len)));
}

static void names_check(const struct conf *conf, size_t p, struct conf_mistakes *m)
{
	for (size_t q = 0; conf->passes[p].kid && q < p; q++) {
		if (!conf->passes[q].kid || !have_one_name(&conf->passes[p], &conf->passes[q]))
			continue;
		conf_mistake(m, conf_mark_of(conf, &conf->passes[p].kid),
			"passthrough[%zu].kid: its messages are those of line %u already", p,
			conf->passes[q].line);
		return;
	}
}

// FNV-1a, as of a route.
static uint64_t id_of(const struct conf_route *route)
{
	uint64_t id = UINT64_C(0xcbf29ce484222325);

	for (const char *at = route->path.text; *at; at++)
		id = (id ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	for (const char *at = route->to; at && *at; at++)
		id = (id ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	return id;
}

int conf_passes_check(struct conf *conf, struct conf_mistakes *mistakes)
{
	for (size_t p = 0; p < conf->pass_count; p++) {
		struct conf_pass *pass = &conf->passes[p];

		pass->kid_len = hex_read(pass->kid, pass->kid_bytes, CONF_KID_MAX);
		pass->kid_context_len =
			hex_read(pass->kid_context, pass->kid_context_bytes, CONF_CONTEXT_MAX);
		if (label_make(pass))
			return -ENOMEM;
		pass->route.target = CONF_TO_UPSTREAM;
		pass->route.methods = CONF_METHODS_ALL;
		pass->route.max_body = ANSWER_MAX;
		pass->route.id = id_of(&pass->route);
		pass->route.line = pass->line;
		upstream_find(conf, p, mistakes);
		names_check(conf, p, mistakes);
	}
	return 0;
}
