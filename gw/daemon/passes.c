// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/passes.h"

#include "dataplane/shared/context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CONF_KID_MAX == OSC_KID_LEN_MAX, "one length of kids");

// Half a second's messages may come at once, and two of a sender whose rate is low.
static struct dp_rate rate_of(uint32_t per_second)
{
	return dp_rate_make(per_second, per_second / 2 + 2);
}

int passes_make(const struct conf *conf, struct route_slots *slots, struct dp_pass_table **table)
{
	struct dp_pass *entry;

	*table = NULL;
	if (!conf->pass_count)
		return 0;
	entry = calloc(conf->pass_count, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i < conf->pass_count; i++) {
		const struct conf_pass *pass = &conf->passes[i];

		entry[i] = (struct dp_pass){
			.kid_len = pass->kid_len,
			.has_kid_context = pass->kid_context,
			.kid_context_len = pass->kid_context_len,
			.kid_context = pass->kid_context_bytes,
			.route = (uint16_t)i,
			.slot = route_slots_get(slots, pass->route.path.text),
			.timeout_ms = pass->route.timeout_ms,
			.max_in_flight = pass->max_in_flight,
			.all = rate_of(pass->rate),
			.prefix = rate_of(pass->prefix_rate),
			.echo_always = pass->echo == CONF_PASS_ECHO_ALWAYS,
		};
		memcpy(entry[i].kid, pass->kid_bytes, pass->kid_len);
	}
	*table = dp_pass_table_create(entry, (unsigned)conf->pass_count);
	free(entry);
	return *table ? 0 : -ENOMEM;
}

static struct device_ids ids_of(const struct conf_pass *pass)
{
	return (struct device_ids){
		.kid = pass->kid_bytes,
		.kid_len = pass->kid_len,
		.has_id_context = pass->kid_context,
		.id_context = pass->kid_context_bytes,
		.id_context_len = pass->kid_context_len,
	};
}

bool passes_are_reserved(struct device_reserved *reserved, const struct conf *conf)
{
	for (size_t i = 0; i < conf->pass_count; i++) {
		const struct device_ids ids = ids_of(&conf->passes[i]);

		if (!device_reserved_has(reserved, &ids))
			return false;
	}
	return true;
}

int passes_reserve(struct device_reserved *reserved, const struct conf *conf)
{
	struct device_ids *names = calloc(conf->pass_count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < conf->pass_count; i++)
		names[i] = ids_of(&conf->passes[i]);
	const int rc = device_reserved_set(reserved, names, conf->pass_count);

	free(names);
	return rc;
}

static bool is_a_devices(const struct dp_context_table *contexts, const struct conf_pass *pass)
{
	struct dp_context_key key;

	dp_context_key_make(contexts, &key, pass->kid_bytes, pass->kid_len, pass->kid_context,
		pass->kid_context_bytes, pass->kid_context_len);
	if (!pass->kid_context)
		return dp_names_has_kid(&contexts->names, &key);
	if (dp_context_find(contexts, &key) >= 0)
		return true;
	// Any kid context is one of a device that derives contexts, and no other has its kid.
	key.id_context = 0;
	const uint32_t index = dp_names_find(&contexts->names, &key);

	return index != DP_INDEX_NONE && contexts->context[index].flags & DP_CONTEXT_REDERIVE;
}

int passes_check(
	const struct dp_context_table *contexts, const struct conf *conf, struct error *error)
{
	for (size_t i = 0; i < conf->pass_count; i++)
		if (is_a_devices(contexts, &conf->passes[i]))
			return error_set(error, -EEXIST,
				"line %u: a device has the name of %s: remove one of them",
				conf->passes[i].line, conf->passes[i].route.path.text);
	return 0;
}
