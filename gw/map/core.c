// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/core.h"

#include "gw/map/request.h"

#include <stdio.h>
#include <string.h>

#define PATH_ROOM 1024 // bytes of a path that filters are compared with

// A link: the segments that a route has for sure, or those of an entry of the policy within it.
struct link {
	const struct conf_route *route;
	const struct conf_segment *segments;
	size_t count;
};

// ---- which links

static size_t sure(const struct conf_pattern *pattern)
{
	size_t n = 0;

	while (n < pattern->count && !pattern->segments[n].any)
		n++;
	return n;
}

static bool begins(const struct conf_segment *segments, const struct conf_segment *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(segments[i].text, with[i].text) != 0)
			return false;
	return true;
}

// Whether a pattern matches just these segments.
static bool matches(const struct conf_pattern *pattern, const struct link *link)
{
	if (link->count < pattern->count || (!pattern->rest && link->count > pattern->count))
		return false;
	for (size_t i = 0; i < pattern->count; i++)
		if (!pattern->segments[i].any &&
			strcmp(pattern->segments[i].text, link->segments[i].text) != 0)
			return false;
	return true;
}

// Whether a policy allows something of the link's route at its path. If it allows only what is
// deeper, the link goes there.
static bool allow(const struct conf_policy *policy, struct link *link)
{
	const struct conf_route *route = link->route;

	for (size_t i = 0; i < policy->allow_count; i++) {
		const struct conf_permit *permit = &policy->allow[i];

		if (permit->methods & route->methods && matches(&permit->path, link))
			return true;
	}
	for (size_t i = 0; route->path.rest && i < policy->allow_count; i++) {
		const struct conf_permit *permit = &policy->allow[i];

		if (!(permit->methods & route->methods) ||
			sure(&permit->path) < permit->path.count ||
			permit->path.count < link->count ||
			!begins(permit->path.segments, link->segments, link->count))
			continue;
		link->segments = permit->path.segments;
		link->count = permit->path.count;
		return true;
	}
	return false;
}

// ---- filters

// A query "name=value", or "name"; the value may end in "*".
struct filter {
	const char *name, *value; // value NULL: there is none
	size_t name_len, value_len;
};

static struct filter filter_read(const struct coap_option *query)
{
	const char *text = (const char *)query->value;
	const char *equals = query->len ? memchr(text, '=', query->len) : NULL;

	return (struct filter){
		.name = text,
		.name_len = equals ? (size_t)(equals - text) : query->len,
		.value = equals ? equals + 1 : NULL,
		.value_len = equals ? query->len - (size_t)(equals + 1 - text) : 0,
	};
}

static bool is_named(const struct filter *filter, const char *name)
{
	return filter->name_len == strlen(name) && !memcmp(filter->name, name, filter->name_len);
}

static bool takes(const struct filter *filter, const char *value, size_t len)
{
	size_t want = filter->value_len;

	if (!filter->value)
		return true;
	if (want && filter->value[want - 1] == '*')
		return len >= want - 1 && !memcmp(value, filter->value, want - 1);
	return len == want && !memcmp(value, filter->value, want);
}

// Whether it takes one of several words with a blank between them.
static bool takes_word(const struct filter *filter, const char *words)
{
	while (words && *words) {
		size_t len = strcspn(words, " ");

		if (len && takes(filter, words, len))
			return true;
		words += len + (words[len] == ' ');
	}
	return false;
}

static bool takes_format(const struct filter *filter, const struct conf_route *route)
{
	char number[8];

	for (size_t i = 0; i < route->format_count; i++) {
		int len = snprintf(number, sizeof(number), "%u", route->formats[i]);

		if (takes(filter, number, (size_t)len))
			return true;
	}
	return false;
}

static bool takes_path(const struct filter *filter, const struct link *link)
{
	char path[PATH_ROOM];
	size_t len = 0;

	for (size_t i = 0; i < link->count; i++) {
		const char *segment = link->segments[i].text;
		const size_t segment_len = strlen(segment);

		if (segment_len >= sizeof(path) - len)
			return false;
		path[len++] = '/';
		memcpy(path + len, segment, segment_len);
		len += segment_len;
	}
	return len ? takes(filter, path, len) : takes(filter, "/", 1);
}

static bool takes_link(const struct filter *filter, const struct link *link)
{
	const struct conf_route *route = link->route;

	if (is_named(filter, "href"))
		return takes_path(filter, link);
	if (is_named(filter, "rt"))
		return takes_word(filter, route->rt);
	if (is_named(filter, "if"))
		return takes_word(filter, route->interface);
	if (is_named(filter, "ct"))
		return takes_format(filter, route);
	if (is_named(filter, "title"))
		return route->description &&
			takes(filter, route->description, strlen(route->description));
	if (is_named(filter, "obs"))
		return route->observe.line && !filter->value;
	return is_named(filter, "osc") && !filter->value;
}

// ---- EDHOC

#define EDHOC_PATH     "/.well-known/edhoc"
#define EDHOC_RT       "core.edhoc"
#define EDHOC_WORDS    24
#define EDHOC_NO_VALUE UINT8_MAX

// A target attribute of RFC 9668 section 6.
struct edhoc_word {
	const char *name;
	uint8_t value;
};

static size_t edhoc_numbers(struct edhoc_word *word, const char *name, uint64_t numbers)
{
	size_t n = 0;

	for (uint8_t i = 0; i < 8; i++)
		if (numbers >> i & 1)
			word[n++] = (struct edhoc_word){name, i};
	return n;
}

// What there is to say of EDHOC; returns how many words.
static size_t edhoc_words(const struct conf_edhoc *edhoc, struct edhoc_word word[EDHOC_WORDS])
{
	static const struct edhoc_word fixed[] = {
		{"ed-cred-t", 1},    // CCS
		{"ed-cred-t", 2},    // X.509
		{"ed-idcred-t", 4},  // kid
		{"ed-idcred-t", 14}, // kccs
		{"ed-idcred-t", 33}, // x5chain
		{"ed-idcred-t", 34}, // x5t
		{"ed-r", EDHOC_NO_VALUE},
		{"ed-comb-req", EDHOC_NO_VALUE}, // the last one: not with message_4
	};
	size_t n = edhoc_numbers(word, "ed-method", edhoc->offered_methods);

	n += edhoc_numbers(&word[n], "ed-csuite", edhoc->offered_suites);
	memcpy(&word[n], fixed, sizeof(fixed));
	return n + sizeof(fixed) / sizeof(fixed[0]) - edhoc->message_4;
}

static bool takes_edhoc(const struct filter *filter, const struct conf_edhoc *edhoc)
{
	struct edhoc_word word[EDHOC_WORDS];
	char number[4];

	if (is_named(filter, "href"))
		return takes(filter, EDHOC_PATH, strlen(EDHOC_PATH));
	if (is_named(filter, "rt"))
		return takes_word(filter, EDHOC_RT);
	for (size_t i = 0, n = edhoc_words(edhoc, word); i < n; i++) {
		if (!is_named(filter, word[i].name))
			continue;
		const bool has = word[i].value != EDHOC_NO_VALUE;
		const int len = has ? snprintf(number, sizeof(number), "%u", word[i].value) : 0;

		if (has ? takes(filter, number, (size_t)len) : !filter->value)
			return true;
	}
	return false;
}

// All filters of a request.
struct filters {
	size_t count;
	struct filter filter[MAP_CORE_FILTERS_MAX];
};

// False if there are too many.
static bool filters_read(struct filters *filters, const struct coap_body *request)
{
	struct coap_option_iter iter;
	struct coap_option option;

	filters->count = 0;
	coap_option_iter_init(&iter, request);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_QUERY)
			continue;
		if (filters->count == MAP_CORE_FILTERS_MAX)
			return false;
		filters->filter[filters->count++] = filter_read(&option);
	}
	return true;
}

static bool is_wanted(const struct link *link, const struct filters *filters)
{
	for (size_t i = 0; i < filters->count; i++)
		if (!takes_link(&filters->filter[i], link))
			return false;
	return true;
}

// ---- writing

// Returns whether the link is there.
static bool edhoc_put(
	struct http_text *text, const struct conf_edhoc *edhoc, const struct filters *filters)
{
	struct edhoc_word word[EDHOC_WORDS];
	char *before = text->at;

	if (!edhoc->offered_methods)
		return false;
	for (size_t i = 0; i < filters->count; i++)
		if (!takes_edhoc(&filters->filter[i], edhoc))
			return false;
	http_text_str(text, "<" EDHOC_PATH ">;rt=\"" EDHOC_RT "\"");
	for (size_t i = 0, n = edhoc_words(edhoc, word); i < n; i++) {
		http_text_char(text, ';');
		http_text_str(text, word[i].name);
		if (word[i].value == EDHOC_NO_VALUE)
			continue;
		http_text_char(text, '=');
		http_text_decimal(text, word[i].value);
	}
	if (text->failed)
		text->at = before; // whole links only
	return !text->failed;
}

static void attribute_put(struct http_text *text, const char *name, const char *value)
{
	if (!value)
		return;
	http_text_str(text, name);
	http_text_str(text, value);
	http_text_char(text, '"');
}

static void formats_put(struct http_text *text, const struct conf_route *route)
{
	if (!route->format_count)
		return;
	http_text_str(text, route->format_count > 1 ? ";ct=\"" : ";ct=");
	for (size_t i = 0; i < route->format_count; i++) {
		if (i)
			http_text_char(text, ' ');
		http_text_decimal(text, route->formats[i]);
	}
	if (route->format_count > 1)
		http_text_char(text, '"');
}

static void link_put(struct http_text *text, const struct link *link, bool first)
{
	http_text_str(text, first ? "<" : ",<");
	for (size_t i = 0; i < link->count; i++) {
		const char *segment = link->segments[i].text;

		http_text_char(text, '/');
		http_text_percent(text, (const uint8_t *)segment, strlen(segment), MAP_PATH_CHARS);
	}
	http_text_str(text, link->count ? ">" : "/>");
	attribute_put(text, ";rt=\"", link->route->rt);
	attribute_put(text, ";if=\"", link->route->interface);
	attribute_put(text, ";title=\"", link->route->description);
	formats_put(text, link->route);
	if (link->route->observe.line)
		http_text_str(text, ";obs"); // RFC 7641 section 6
	http_text_str(text, ";osc");         // RFC 8613 section 9
}

bool map_core_write(struct http_text *text, const struct conf *conf,
	const struct conf_policy *policy, const struct coap_body *request)
{
	struct filters filters;
	bool first;

	if (!filters_read(&filters, request))
		return false;
	first = !edhoc_put(text, &conf->edhoc, &filters);
	for (size_t i = 0; !text->failed && i < conf->route_count; i++) {
		const struct conf_route *route = &conf->routes[i];
		struct link link = {.route = route,
			.segments = route->path.segments,
			.count = route->path.count};
		char *before = text->at;

		// Which paths a star in the middle stands for is not known.
		if (!route->listed || route->target == CONF_TO_CORE ||
			sure(&route->path) < route->path.count ||
			(policy && !allow(policy, &link)) || !is_wanted(&link, &filters))
			continue;
		link_put(text, &link, first);
		if (text->failed) {
			text->at = before; // whole links only
			break;
		}
		first = false;
	}
	return true;
}
