// SPDX-License-Identifier: BSD-3-Clause
// The part of the registry that is about sessions of EDHOC.

#include "dataplane/shared/stranger.h"
#include "gw/daemon/registry_inside.h"

#include <errno.h>
#include <string.h>

int registry_session_add(struct registry *registry, const struct device_keyed *session,
	const struct registry_agreed *agreed, uint32_t *context, uint32_t *generation)
{
	struct dp_context_table *table = dp_contexts(registry->dp);
	const struct drained none = {0};
	struct dp_context_key key;

	registry_device_key(registry, session, &key);
	if (dp_names_has_kid(&table->names, &key))
		return -EEXIST;
	const int rc = registry_publish(registry, session, &none, 0, agreed->credential, context);

	if (rc)
		return rc;
	*generation = registry->entry[*context].generation;
	dp_stranger_known(&table->context[*context], dp_stranger_endpoint(table, agreed->from));
	return 0;
}

bool registry_credential(
	void *arg, uint32_t context, uint32_t generation, uint8_t credential[REGISTRY_CREDENTIAL])
{
	static const uint8_t none[REGISTRY_CREDENTIAL];
	const struct registry *registry = arg;
	const struct registry_entry *entry = &registry->entry[context];

	if (context >= registry->max ||
		__atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE) != generation)
		return false;
	memcpy(credential, entry->credential, REGISTRY_CREDENTIAL);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&entry->generation, __ATOMIC_RELAXED) == generation &&
		memcmp(credential, none, sizeof(none)) != 0;
}

void registry_session_limit(struct registry *registry, uint32_t context, uint32_t generation,
	const struct device_settings *settings)
{
	struct dp_context_table *table = dp_contexts(registry->dp);
	const struct registry_entry *entry = registry_get(registry, context, generation);

	if (!entry || !(entry->id & REGISTRY_SESSION))
		return;
	const uint16_t before = dp_context_permit(&table->context[context]);
	const struct dp_context_limits limits = {
		.max_message = settings->max_message,
		.max_in_flight = settings->max_in_flight,
		.permit = policies_get(&registry->policies, settings->policy),
	};

	if (before == DP_PERMIT_OVER ||
		dp_context_limit(table, context, generation, &limits)) // -ENOENT: it drains
		return;
	policies_count(&registry->policies, before, -1);
	policies_count(&registry->policies, limits.permit, 1);
}

void registry_session_over(struct registry *registry, uint32_t context, uint32_t generation)
{
	struct dp_context_table *table = dp_contexts(registry->dp);
	const struct registry_entry *entry = registry_get(registry, context, generation);

	if (!entry || !(entry->id & REGISTRY_SESSION))
		return;
	const struct dp_context *ctx = &table->context[context];
	const struct dp_context_limits limits = {
		.max_message = dp_context_max_message(ctx),
		.max_in_flight = dp_context_max_in_flight(ctx),
		.permit = DP_PERMIT_OVER,
	};

	const uint16_t before = dp_context_permit(ctx);

	if (!dp_context_limit(table, context, generation, &limits))
		policies_count(&registry->policies, before, -1);
}

void registry_session_end(struct registry *registry, uint32_t context, uint32_t generation)
{
	const struct dp_context_table *table = dp_contexts(registry->dp);
	const struct dp_context_key key = table->names.kin[context].key;
	struct drained drained;

	// If it drains already, its name may be a device's by now.
	if (registry_get(registry, context, generation) &&
		registry->entry[context].id & REGISTRY_SESSION &&
		dp_context_find(table, &key) == context)
		(void)registry_drain_key(registry, &key, &drained);
}
