// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/headers.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 // bytes

static bool port_follows(const char *text)
{
	if (!*text)
		return true;
	size_t digits = strspn(text + 1, "0123456789");

	return *text == ':' && digits >= 1 && digits <= 5 && !text[1 + digits];
}

bool web_host_allowed(const char *host, char *const *names, size_t count)
{
	const bool brackets = *host == '[';
	const size_t len = brackets ? strcspn(++host, "]") : strcspn(host, ":");
	char name[HOST_MAX + 1];
	unsigned char address[16];

	if (!len || len > HOST_MAX)
		return false;
	memcpy(name, host, len);
	name[len] = 0;
	host += len;
	if (brackets && *host++ != ']')
		return false;
	if (!port_follows(host))
		return false;
	if (brackets)
		return inet_pton(AF_INET6, name, address) == 1;
	if (inet_pton(AF_INET, name, address) == 1 || !strcasecmp(name, "localhost"))
		return true;
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_name(const char *start, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(start, name, len);
}

static size_t without_spaces(const char **start, size_t len)
{
	while (len && (**start == ' ' || **start == '\t')) {
		(*start)++;
		len--;
	}
	while (len && ((*start)[len - 1] == ' ' || (*start)[len - 1] == '\t'))
		len--;
	return len;
}

// A weight (RFC 9110 section 12.4.2) in thousandths; 0 for what is none.
static unsigned weight_of(const char *text, size_t len)
{
	unsigned weight = 0, place = 1000;

	for (size_t i = 0; i < len && place; i++) {
		if (i == 1) {
			if (text[i] != '.')
				return 0;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			return 0;
		weight += (unsigned)(text[i] - '0') * place;
		place /= 10;
	}
	return weight > 1000 ? 0 : weight;
}

struct wanted {
	unsigned openmetrics, plain; // thousandths
};

// One entry of the list: a type and its parameters.
static void entry_read(struct wanted *wanted, const char *entry, size_t len)
{
	size_t type_len = 0, at = 0;
	const char *type = entry;
	unsigned weight = 1000;
	bool other_version = false;

	while (type_len < len && entry[type_len] != ';')
		type_len++;
	at = type_len;
	type_len = without_spaces(&type, type_len);
	while (at < len) {
		const char *parameter = entry + ++at, *equals;
		size_t bytes = 0, name_len;

		while (at < len && entry[at] != ';') {
			at++;
			bytes++;
		}
		bytes = without_spaces(&parameter, bytes);
		equals = memchr(parameter, '=', bytes);
		if (!equals)
			continue;
		name_len = (size_t)(equals - parameter);
		if (is_name(parameter, name_len, "q"))
			weight = weight_of(equals + 1, bytes - name_len - 1);
		if (is_name(parameter, name_len, "version"))
			other_version = !is_name(equals + 1, bytes - name_len - 1, "1.0.0");
	}
	if (is_name(type, type_len, "application/openmetrics-text") && !other_version)
		wanted->openmetrics = weight > wanted->openmetrics ? weight : wanted->openmetrics;
	if (is_name(type, type_len, "text/plain"))
		wanted->plain = weight > wanted->plain ? weight : wanted->plain;
}

bool web_wants_openmetrics(const char *accept)
{
	struct wanted wanted = {0};

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");

		entry_read(&wanted, accept, len);
		accept += len;
		if (*accept)
			accept++;
	}
	return wanted.openmetrics && wanted.openmetrics >= wanted.plain;
}
