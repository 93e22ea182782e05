// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/value.h"

#include "gw/conf/mistakes.h"
#include "gw/conf/path.h"
#include "gw/conf/units.h"
#include "gw/conf/url.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void conf_uint_store(void *field, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)field = value;
		break;
	case 2:
		*(uint16_t *)field = value;
		break;
	case 4:
		*(uint32_t *)field = value;
		break;
	default:
		*(uint64_t *)field = value;
		break;
	}
}

uint64_t conf_uint_fetch(const void *field, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)field;
	case 2:
		return *(const uint16_t *)field;
	case 4:
		return *(const uint32_t *)field;
	default:
		return *(const uint64_t *)field;
	}
}

static bool percent_read(const char *text, uint64_t *percent)
{
	return conf_number_read(&text, percent) && !strcmp(text, "%");
}

static bool octal_read(const char *text, uint64_t *number)
{
	size_t len = strlen(text);

	if (len < 3 || len > 4 || strspn(text, "01234567") != len)
		return false;
	*number = strtoul(text, NULL, 8);
	return true;
}

static bool bool_read(const char *text, uint64_t *value)
{
	*value = !strcmp(text, "true") || !strcmp(text, "yes");
	return *value || !strcmp(text, "false") || !strcmp(text, "no");
}

static bool word_read(const struct conf_word *words, const char *text, uint64_t *value)
{
	for (; words->word; words++) {
		if (!strcmp(words->word, text)) {
			*value = words->value;
			return true;
		}
	}
	return false;
}

static bool integer_read(const char *text, uint64_t *number)
{
	return conf_number_read(&text, number) && !*text;
}

static enum conf_verdict must_be(
	const struct conf_key *key, const char *text, char why[CONF_WHY_MAX])
{
	char what[CONF_WHAT_MAX], quoted[CONF_QUOTE_MAX];

	if (key->hidden)
		return conf_why(why, "must be %s", conf_key_what(key, what));
	return conf_why(
		why, "must be %s, not \"%s\"", conf_key_what(key, what), conf_quote(quoted, text));
}

static enum conf_verdict number_parse(
	const struct conf_key *key, const char *text, void *field, char why[CONF_WHY_MAX])
{
	uint64_t value = 0;
	bool good = false;

	switch (key->type) {
	case CONF_BOOL:
		good = bool_read(text, &value);
		break;
	case CONF_INT:
		good = integer_read(text, &value);
		break;
	case CONF_DURATION:
		good = conf_duration_read(text, &value);
		break;
	case CONF_PERCENT:
		good = percent_read(text, &value);
		break;
	case CONF_SIZE:
		good = conf_size_read(text, &value);
		break;
	case CONF_MODE:
		good = octal_read(text, &value);
		break;
	default:
		good = word_read(key->words, text, &value);
		break;
	}
	// The words of an enum and the two of a bool have no range.
	if (good && key->max && (value < key->min || value > key->max))
		good = false;
	if (!good)
		return must_be(key, text, why);
	conf_uint_store(field, key->size, value);
	return CONF_OK;
}

static enum conf_verdict text_parse(
	const struct conf_key *key, const char *text, void *field, char why[CONF_WHY_MAX])
{
	size_t len = strlen(text);

	if (len < key->min || len > key->max || (key->form && !key->form->fits(text)) ||
		(key->type == CONF_PATH && (text[0] != '/' || text[1] == 0)))
		return must_be(key, text, why);

	char *copy = strdup(text);
	if (!copy)
		return CONF_NO_MEMORY;
	*(char **)field = copy;
	return CONF_OK;
}

// Whether all bits of an address behind its prefix equal `bit`.
static bool host_bits_are(const struct conf_prefix *prefix, unsigned bits, unsigned bit)
{
	for (unsigned i = prefix->len; i < bits; i++)
		if ((prefix->addr[i / 8] >> (7 - i % 8) & 1u) != bit)
			return false;
	return true;
}

// Refuses addresses that no interface can have.
static enum conf_verdict prefix_check(const struct conf_prefix *prefix, char why[CONF_WHY_MAX])
{
	const uint8_t *a = prefix->addr;

	if (prefix->family == AF_INET) {
		if (a[0] == 0 || a[0] == 127 || a[0] >= 224)
			return conf_why(
				why, "must be an address that a network interface can have");
		if (prefix->len < 31 && host_bits_are(prefix, 32, 0))
			return conf_why(
				why, "is the address of the network itself, not of a host in it");
		if (prefix->len < 31 && host_bits_are(prefix, 32, 1))
			return conf_why(why, "is the broadcast address of its network");
		return CONF_OK;
	}

	struct in6_addr v6;
	memcpy(&v6, a, sizeof(v6));
	if (IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LOOPBACK(&v6) ||
		IN6_IS_ADDR_MULTICAST(&v6) || IN6_IS_ADDR_V4MAPPED(&v6) ||
		IN6_IS_ADDR_V4COMPAT(&v6))
		return conf_why(why, "must be an address that a network interface can have");
	return CONF_OK;
}

enum conf_verdict conf_prefix_parse(
	const char *text, struct conf_prefix *prefix, char why[CONF_WHY_MAX])
{
	struct conf_prefix got = {.line = prefix->line};
	char address[INET6_ADDRSTRLEN], quoted[CONF_QUOTE_MAX];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits = 0;

	if (len < sizeof(address)) {
		memcpy(address, text, len);
		address[len] = 0;
		if (inet_pton(AF_INET, address, got.addr) == 1)
			got.family = AF_INET;
		else if (inet_pton(AF_INET6, address, got.addr) == 1)
			got.family = AF_INET6;
	}
	if (got.family == 0)
		return conf_why(why,
			"must be an address with the length of its network's prefix, such as "
			"192.0.2.1/24 or 2001:db8::1/64, not \"%s\"",
			conf_quote(quoted, text));
	if (!slash)
		return conf_why(why, "needs the length of the network's prefix, such as \"%s/%d\"",
			address, got.family == AF_INET ? 24 : 64);
	if (!integer_read(slash + 1, &bits) || bits < 1 ||
		bits > (got.family == AF_INET ? 32 : 128))
		return conf_why(why, "has a prefix length that is not 1 to %d: \"%s\"",
			got.family == AF_INET ? 32 : 128, conf_quote(quoted, slash));
	got.len = bits;

	enum conf_verdict verdict = prefix_check(&got, why);
	if (verdict == CONF_OK)
		*prefix = got;
	return verdict;
}

enum conf_verdict conf_cores_parse(
	const char *text, unsigned *first, unsigned *last, char why[CONF_WHY_MAX])
{
	char quoted[CONF_QUOTE_MAX];
	const char *p = text;
	uint64_t from, to;
	bool good = conf_number_read(&p, &from);

	to = from;
	if (good && *p == '-') {
		p++;
		good = conf_number_read(&p, &to);
	}
	if (!good || *p || to > CONF_CPU_MAX)
		return conf_why(why,
			"must be the number of a CPU, 0 to %d, or a range such as 2-5, not \"%s\"",
			CONF_CPU_MAX, conf_quote(quoted, text));
	if (from > to)
		return conf_why(why, "is a range that ends before it starts: \"%s\"", text);
	*first = from;
	*last = to;
	return CONF_OK;
}

enum conf_verdict conf_value_parse(
	const struct conf_key *key, const char *text, void *field, char why[CONF_WHY_MAX])
{
	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
		return text_parse(key, text, field, why);
	case CONF_BASE:
		return conf_base_parse(text, field, why);
	case CONF_PREFIX:
		return conf_prefix_parse(text, field, why);
	case CONF_URL:
		return conf_url_parse(text, field, why);
	case CONF_PATTERN:
		return conf_pattern_parse(text, field, why);
	default:
		return number_parse(key, text, field, why);
	}
}

void conf_value_free(const struct conf_key *key, void *field)
{
	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_BASE:
		if (key->hidden && *(char **)field)
			explicit_bzero(*(char **)field, strlen(*(char **)field));
		free(*(char **)field);
		break;
	case CONF_URL:
		conf_url_free(field);
		break;
	case CONF_PATTERN:
		conf_pattern_free(field);
		break;
	default:
		break;
	}
}
