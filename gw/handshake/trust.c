// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/trust.h"

#include "gw/conf/trust_name.h"
#include "gw/edhoc/x509.h"
#include "gw/edhoc/x509_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

struct rule {
	uint64_t number;
	struct edhoc_trust *anchors;
	size_t prefix_len;
	enum conf_trust_value value;
	char prefix[CONF_TRUST_PREFIX_MAX + 1];
	char policy[DEVICE_POLICY_MAX + 1];
};

struct trust {
	size_t count;
	struct rule rule[TRUST_RULES_MAX];
};

_Static_assert(CONF_TRUST_PREFIX_MAX < DEVICE_NAME_MAX, "a value has room behind each prefix");

// The DER bytes of an item.
static bool der_of(struct edhoc_bytes item, struct edhoc_bytes *der)
{
	struct edhoc_reader reader = edhoc_reader(item.data, item.len);

	return edhoc_read_bytes(&reader, &der->data, &der->len) && !edhoc_reader_left(&reader);
}

bool credential_mark_read(struct edhoc_bytes item, bool x509, struct credential_mark *mark)
{
	struct edhoc_bytes hashed = item;

	memset(mark, 0, sizeof(*mark));
	if (x509) {
		if (!der_of(item, &hashed))
			return false;
		mark->serial_len =
			(uint8_t)edhoc_x509_serial(hashed, mark->serial, sizeof(mark->serial));
	}
	edhoc_hash(mark->digest, &hashed, 1);
	return true;
}

// Another one for all that a rule says.
static uint64_t number_of(const struct trust_rule *rule)
{
	const char *policy = rule->policy ? rule->policy : "";
	const struct edhoc_bytes parts[] = {
		{(const uint8_t *)rule->name, strlen(rule->name) + 1},
		{(const uint8_t *)policy, strlen(policy) + 1},
		{(const uint8_t *)rule->pem, rule->pem_len},
	};
	uint8_t hash[EDHOC_HASH_LEN];
	uint64_t number;

	edhoc_hash(hash, parts, sizeof(parts) / sizeof(parts[0]));
	memcpy(&number, hash, sizeof(number));
	return number ? number : 1;
}

static int rule_make(struct rule *rule, const struct trust_rule *from, struct error *error)
{
	const char *policy = from->policy ? from->policy : "";

	if (!conf_trust_name_split(from->name, &rule->prefix_len, &rule->value))
		return error_set(error, -EINVAL, "name: %s", CONF_TRUST_NAME_RULE);
	if (!device_policy_valid(policy))
		return error_set(error, -EINVAL, "policy: %s", DEVICE_POLICY_RULE);
	memcpy(rule->prefix, from->name, rule->prefix_len);
	memcpy(rule->policy, policy, strlen(policy) + 1);
	rule->number = number_of(from);
	rule->anchors = edhoc_trust_create(from->pem, from->pem_len);
	if (rule->anchors)
		return 0;
	return errno == ENOMEM
		? error_set(error, -ENOMEM, "no memory")
		: error_set(error, -EINVAL, "ca: there is not a certificate in PEM, or more");
}

static int rules_make(struct trust *trust, const struct trust_rule *rules, struct error *error)
{
	for (size_t i = 0; i < trust->count; i++) {
		const int code = rule_make(&trust->rule[i], &rules[i], error);

		if (code)
			return code;
		for (size_t j = 0; j < i; j++)
			if (conf_trust_names_overlap(rules[i].name, rules[j].name))
				return error_set(error, -EINVAL,
					"name: %s might be a name of another rule's (%s)",
					rules[i].name, rules[j].name);
	}
	return 0;
}

struct trust *trust_create(const struct trust_rule *rules, size_t count, struct error *error)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	int code = -EINVAL;

	if (!trust) {
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	trust->count = count;
	if (count > TRUST_RULES_MAX)
		error_set(error, -EINVAL, "more than %d rules", TRUST_RULES_MAX);
	else
		code = rules_make(trust, rules, error);
	if (!code)
		return trust;
	trust_free(trust);
	return NULL;
}

void trust_free(struct trust *trust)
{
	for (size_t i = 0; trust && i < TRUST_RULES_MAX; i++)
		edhoc_trust_free(trust->rule[i].anchors);
	free(trust);
}

bool trust_has(const struct trust *trust, uint64_t rule)
{
	for (size_t i = 0; trust && i < trust->count; i++)
		if (trust->rule[i].number == rule)
			return true;
	return false;
}

// The prefix, then the value, which has no character that a name of another device could be hidden
// with.
static bool name_make(const struct rule *rule, struct edhoc_bytes der, struct trust_name *name)
{
	static const enum edhoc_x509_field fields[] = {
		[CONF_TRUST_CN] = EDHOC_X509_CN,
		[CONF_TRUST_SERIAL] = EDHOC_X509_SERIAL,
		[CONF_TRUST_DNS] = EDHOC_X509_DNS,
	};
	char *value = name->name + rule->prefix_len;

	memset(name, 0, sizeof(*name));
	name->rule = rule->number;
	memcpy(name->policy, rule->policy, sizeof(name->policy));
	memcpy(name->name, rule->prefix, rule->prefix_len);
	return edhoc_x509_field(
		       der, fields[rule->value], value, sizeof(name->name) - rule->prefix_len) &&
		value[0] && value[strspn(value, VALUE_CHARACTERS)] == 0;
}

static bool issuers_read(
	struct credential_issuers *issuers, const struct edhoc_bytes *chain, unsigned n)
{
	if (n > EDHOC_CHAIN_MAX)
		return false;
	for (unsigned i = 1; i < n; i++)
		if (!credential_mark_read(chain[i], true, &issuers->mark[issuers->count++]))
			return false;
	return true;
}

enum edhoc_result trust_find(const struct trust *trust, const struct edhoc_bytes *chain, unsigned n,
	int64_t now_s, struct trust_name *name)
{
	struct edhoc_bytes der;

	if (!trust || !n || !der_of(chain[0], &der))
		return EDHOC_UNTRUSTED;
	for (size_t i = 0; i < trust->count; i++) {
		const struct rule *rule = &trust->rule[i];

		if (name_make(rule, der, name) && issuers_read(&name->issuers, chain, n) &&
			edhoc_trust_check(rule->anchors, chain, n, now_s))
			return EDHOC_OK;
	}
	return EDHOC_UNTRUSTED;
}
