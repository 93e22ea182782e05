// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/memory.h"
#include "gw/daemon/registry_inside.h"
#include "gw/os/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS        64
#define WAITING_PER_TURN 256 // devices that a turn of main looks at

struct registry_waiting {
	struct registry_waiting *next;
	uint64_t own_first; // see registry_publish()
	struct device_keyed device;
};

int registry_init(struct registry *registry, struct dp *dp, uint32_t max_devices)
{
	registry->dp = dp;
	registry->max = dp_contexts(dp)->entries;
	registry->entry = dp_map(sizeof(*registry->entry) * (size_t)registry->max, DP_MAP_LAZY);
	registry->taken = calloc(registry->max / WORD_BITS + 1, sizeof(*registry->taken));
	return registry->entry && registry->taken ? 0 : -ENOMEM;
}

static void waiting_free(struct registry_waiting *waiting)
{
	sodium_memzero(waiting, sizeof(*waiting));
	free(waiting);
}

// Takes the entry at this place off the list.
static struct registry_waiting *waiting_unlink(
	struct registry *registry, struct registry_waiting **at)
{
	struct registry_waiting *waiting = *at;

	*at = waiting->next;
	if (!waiting->next)
		registry->waiting_end = at;
	return waiting;
}

// Returns 0 or -ENOENT.
static int waiting_drop(struct registry *registry, uint64_t id)
{
	struct registry_waiting **at = &registry->waiting;

	while (*at && (*at)->device.id != id)
		at = &(*at)->next;
	if (!*at)
		return -ENOENT;
	waiting_free(waiting_unlink(registry, at));
	return 0;
}

static int waiting_put(
	struct registry *registry, const struct device_keyed *device, uint64_t own_first)
{
	struct registry_waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return -ENOMEM;
	waiting->own_first = own_first;
	waiting->device = *device;
	waiting->device.replaces = 0; // that was removed already
	if (!registry->waiting)
		registry->waiting_end = &registry->waiting;
	*registry->waiting_end = waiting;
	registry->waiting_end = &waiting->next;
	return 0;
}

bool registry_waits(const struct registry *registry, uint64_t id)
{
	const struct registry_waiting *waiting = registry->waiting;

	while (waiting && waiting->device.id != id)
		waiting = waiting->next;
	return waiting;
}

static bool must_wait(const struct registry *registry, const struct device_keyed *device)
{
	return dp_key_retiring(registry->dp, device->alg, device->keys.sender_key);
}

void registry_fini(struct registry *registry)
{
	while (registry->waiting)
		waiting_free(waiting_unlink(registry, &registry->waiting));
	dp_unmap(registry->entry, sizeof(*registry->entry) * (size_t)registry->max);
	registry->entry = NULL;
	free(registry->taken);
	registry->taken = NULL;
	policies_free(&registry->policies);
}

// An id of 0 clears the entry.
static void entry_write(struct registry *registry, uint32_t index, uint64_t id, const char *name,
	const uint8_t *credential, uint32_t generation)
{
	struct registry_entry *entry = &registry->entry[index];
	uint64_t bit = UINT64_C(1) << index % WORD_BITS;

	if (id)
		registry->taken[index / WORD_BITS] |= bit;
	else
		registry->taken[index / WORD_BITS] &= ~bit;
	// A reader that sees an even generation, or another one afterwards, takes nothing.
	__atomic_store_n(&entry->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	entry->id = id;
	entry->drains_generation = 0;
	memset(entry->name, 0, sizeof(entry->name));
	memcpy(entry->name, name, strnlen(name, sizeof(entry->name) - 1));
	if (credential)
		memcpy(entry->credential, credential, sizeof(entry->credential));
	else
		memset(entry->credential, 0, sizeof(entry->credential));
	__atomic_store_n(&entry->generation, generation, __ATOMIC_RELEASE);
}

// The context that (kid, none) names, if it is of the device with this id, or -ENOENT. A device
// that derives contexts always has it, for no other has its kid, whatever its ID Context is by now.
static int64_t alias_find(
	const struct registry *registry, const uint8_t *kid, uint8_t kid_len, uint64_t id)
{
	struct dp_context_key shared;

	dp_context_key_make(dp_contexts(registry->dp), &shared, kid, kid_len, false, NULL, 0);
	uint32_t index = dp_names_find(&dp_contexts(registry->dp)->names, &shared);

	return index != DP_INDEX_NONE && registry->entry[index].id == id ? (int64_t)index : -ENOENT;
}

static void info_key(
	const struct registry *registry, const struct device_info *info, struct dp_context_key *key)
{
	int64_t at = info->rederive == DEVICE_REDERIVE_NONE
		? -ENOENT
		: alias_find(registry, info->device_id, info->device_id_len, info->id);

	if (at >= 0)
		*key = dp_contexts(registry->dp)->names.kin[at].key;
	else
		dp_context_key_make(dp_contexts(registry->dp), key, info->device_id,
			info->device_id_len, info->has_id_context, info->id_context,
			info->id_context_len);
}

// The Master Secret of the device of a context is not needed any more.
static void secret_take(struct registry *registry, const struct dp_context_key *key, uint64_t id)
{
	if (registry->vault)
		vault_take(registry->vault, key->kid, key->kid_len, id);
}

// The context at this index is over.
static void context_gone(struct registry *registry, uint32_t index, uint32_t generation)
{
	uint8_t flags = dp_contexts(registry->dp)->context[index].flags;

	entry_write(registry, index, 0, "", NULL, 0);
	registry->clock_count -= (flags & DP_CONTEXT_OWN_PIV_CLOCK) != 0;
	if (registry->gone)
		registry->gone(registry->gone_arg, index, generation);
}

static int remove_key(struct registry *registry, const struct dp_context_key *key)
{
	int64_t index = dp_context_find(dp_contexts(registry->dp), key);

	if (index < 0)
		return index;
	// In this order: a request that is on its way finds a name until its context is retired.
	uint16_t permit = dp_context_permit(&dp_contexts(registry->dp)->context[index]);
	struct registry_entry *entry = &registry->entry[index];
	uint32_t generation = entry->generation;
	int rc = dp_device_remove(registry->dp, key);

	if (rc)
		return rc;
	// Nothing goes to the device any more, under keys of before neither.
	if (entry->drains_generation)
		dp_context_drain_end(registry->dp, entry->drains, entry->drains_generation);
	secret_take(registry, key, entry->id);
	policies_count(&registry->policies, permit, -1);
	context_gone(registry, index, generation);
	return 0;
}

int registry_drain_key(
	struct registry *registry, const struct dp_context_key *key, struct drained *drained)
{
	int64_t index = dp_context_find(dp_contexts(registry->dp), key);

	if (index < 0)
		return index;
	uint16_t permit = dp_context_permit(&dp_contexts(registry->dp)->context[index]);
	struct registry_entry *entry = &registry->entry[index];

	if (entry->drains_generation)
		dp_context_drain_end(registry->dp, entry->drains, entry->drains_generation);
	int rc = dp_context_drain(registry->dp, key);

	if (rc)
		return rc;
	policies_count(&registry->policies, permit, -1);
	secret_take(registry, key, entry->id);
	registry->taken[index / WORD_BITS] &= ~(UINT64_C(1) << index % WORD_BITS);
	*drained = (struct drained){index, entry->generation};
	return 0;
}

void registry_drained(struct registry *registry, uint32_t context, uint32_t generation)
{
	if (registry_get(registry, context, generation))
		context_gone(registry, context, generation);
}

void registry_device_key(const struct registry *registry, const struct device_keyed *device,
	struct dp_context_key *key)
{
	dp_context_key_make(dp_contexts(registry->dp), key, device->device_id,
		device->device_id_len, device->has_id_context, device->id_context,
		device->id_context_len);
}

_Static_assert(DEVICE_MESSAGE_MIN == DP_MESSAGE_MIN && DEVICE_MESSAGE_MAX == DP_MESSAGE_MAX,
	"one range of max_message");

// Whether an unknown window of the device is answered by a run of appendix B.2. An ID Context that
// a run made may be too long for another one that the gateway starts.
static bool recovers_by_b2(const struct device_keyed *device)
{
	return device->recovery == DEVICE_B2 && device->has_id_context &&
		device->id_context_len <= DEVICE_B2_CONTEXT_MAX;
}

static uint8_t context_flags(const struct device_keyed *device)
{
	static const uint8_t own_piv[] = {
		[DEVICE_OWN_PIV_AUTO] = 0,
		[DEVICE_OWN_PIV_ALWAYS] = DP_CONTEXT_OWN_PIV_ALWAYS,
		[DEVICE_OWN_PIV_CLOCK] = DP_CONTEXT_OWN_PIV_CLOCK,
	};

	return own_piv[device->own_piv] |
		(device->recovery == DEVICE_FLOOR ? DP_CONTEXT_FLOOR : 0) |
		(device->rederive == DEVICE_REDERIVE_B2 ? DP_CONTEXT_REDERIVE : 0) |
		(device->id & REGISTRY_SESSION ? DP_CONTEXT_OWN_PIV_PLAIN : 0) |
		(recovers_by_b2(device) ? DP_CONTEXT_RECOVERY_B2 : 0);
}

#define BSTR_SHORT 24 // bytes of a CBOR byte string whose length stands in its first byte

// The key of the other spelling that a client may use for the ID Context of a run: a CBOR byte
// string. False if there is none.
static bool second_key(const struct registry *registry, const struct device_keyed *device,
	struct dp_context_key *key)
{
	uint8_t text[2 + OSC_ID_CONTEXT_LEN_MAX];
	uint8_t *to = text;
	unsigned len = device->id_context_len;

	if (device->rederive != DEVICE_REDERIVE_B2 || !device->rederived ||
		!device->has_id_context || len + 2 > OSC_ID_CONTEXT_LEN_MAX)
		return false;
	if (len < BSTR_SHORT) {
		*to++ = 0x40 | len;
	} else {
		*to++ = 0x58;
		*to++ = len;
	}
	to = mempcpy(to, device->id_context, len);
	dp_context_key_make(dp_contexts(registry->dp), key, device->device_id,
		device->device_id_len, true, text, to - text);
	return true;
}

static struct dp_context_limits context_limits(
	struct registry *registry, const struct device_keyed *device)
{
	return (struct dp_context_limits){
		.max_message = device->settings.max_message,
		.max_in_flight = device->settings.max_in_flight,
		.permit = policies_get(&registry->policies, device->settings.policy),
	};
}

// Gives a device its limits where it is. One that is neither live nor waiting is still to be handed
// out by an import, which reads them from the store, or the data plane did not take it.
static int limits_change(struct registry *registry, const struct device_keyed *device)
{
	struct registry_waiting *waiting = registry->waiting;
	const struct dp_context_limits limits = context_limits(registry, device);
	struct dp_context_key key;

	registry_device_key(registry, device, &key);
	int64_t at = dp_context_find(dp_contexts(registry->dp), &key);

	if (at < 0) // a run that the disk took and failed: under the ID Context of before
		at = alias_find(registry, device->device_id, device->device_id_len, device->id);
	if (at >= 0 && registry->entry[at].id == device->id) {
		policies_count(&registry->policies,
			dp_context_permit(&dp_contexts(registry->dp)->context[at]), -1);
		policies_count(&registry->policies, limits.permit, 1);
		return dp_context_limit(
			dp_contexts(registry->dp), at, registry->entry[at].generation, &limits);
	}
	while (waiting && waiting->device.id != device->id)
		waiting = waiting->next;
	if (waiting)
		waiting->device.settings = device->settings;
	return 0;
}

int registry_publish(struct registry *registry, const struct device_keyed *device,
	const struct drained *before, uint64_t own_first, const uint8_t *credential,
	uint32_t *index)
{
	struct dp_context_params params = {
		.alg = device->alg,
		.sender_id_len = device->gateway_id_len,
		.keys = &device->keys,
		.fingerprint = device->fingerprint,
		.limits = context_limits(registry, device),
		.run_base = device->run_base,
		.own_first = own_first,
		.flags = context_flags(device),
		.mark = device->mark,
		.window_known = device->window_known,
	};
	struct dp_context_key key, second;
	bool has_second = second_key(registry, device, &second);
	uint32_t generation;

	if (device->window_known)
		params.window = device->window;
	memcpy(params.sender_id, device->gateway_id, device->gateway_id_len);
	registry_device_key(registry, device, &key);
	int rc = registry->vault ? vault_put(registry->vault, device) : 0;

	if (rc)
		return rc;
	rc = dp_context_place(
		dp_contexts(registry->dp), &key, has_second ? &second : NULL, index, &generation);
	if (rc) {
		secret_take(registry, &key, device->id);
		return rc;
	}
	entry_write(registry, *index, device->id, device->name, credential, generation);
	registry->entry[*index].drains = before->context;
	registry->entry[*index].drains_generation = before->generation;
	dp_context_publish(dp_contexts(registry->dp), *index, &params);
	registry->clock_count += device->own_piv == DEVICE_OWN_PIV_CLOCK;
	policies_count(&registry->policies, params.limits.permit, 1);
	return 0;
}

// Publishes a device, or lets it wait.
static int device_add(struct registry *registry, const struct device_keyed *device,
	const struct drained *before, uint64_t own_first, uint32_t *index)
{
	if (device->resync_needed)
		return 0;
	if (must_wait(registry, device))
		return waiting_put(registry, device, own_first);
	int rc = registry_publish(registry, device, before, own_first, NULL, index);

	// Devices that were removed may still have the places.
	return rc == -EAGAIN ? waiting_put(registry, device, own_first) : rc;
}

void registry_turn(struct registry *registry)
{
	struct registry_waiting **at = &registry->waiting;

	for (unsigned n = 0; *at && n < WAITING_PER_TURN; n++) {
		if (must_wait(registry, &(*at)->device)) {
			at = &(*at)->next;
			continue;
		}
		struct registry_waiting *waiting = waiting_unlink(registry, at);
		const struct drained none = {0};
		uint32_t index;
		int rc = device_add(registry, &waiting->device, &none, waiting->own_first, &index);

		if (rc)
			log_error("%s is stored, but the data plane did not take it: %s",
				waiting->device.name, strerror(-rc));
		waiting_free(waiting);
	}
}

// Where the own Partial IVs of the next context begin. Answers under way may take more of them
// under the keys of this one, but the client has left it: it knows of none that is not counted yet.
static uint64_t own_next(const struct dp_context *ctx, const struct device_keyed *device)
{
	if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK)
		return __atomic_load_n(&ctx->own_next, __ATOMIC_RELAXED);
	return ctx->run_base == device->run_base
		? __atomic_load_n(&ctx->own_counter, __ATOMIC_RELAXED)
		: 0;
}

int registry_add(struct registry *registry, const struct device_keyed *device)
{
	struct drained before = {0};
	struct dp_context_key key;
	uint64_t own_first = 0;
	uint32_t index;

	if (device->changed)
		return limits_change(registry, device);
	registry_device_key(registry, device, &key);
	int64_t at = dp_context_find(dp_contexts(registry->dp), &key);

	// A resync was faster than the import that wrote it, and its own Partial IVs are in use.
	if (at >= 0 && registry->entry[at].id == device->id)
		return 0;
	// The one that it replaces, or it itself, may be under another ID Context by now.
	int64_t old = at >= 0 || (!device->replaces && device->rederive == DEVICE_REDERIVE_NONE)
		? at
		: alias_find(registry, device->device_id, device->device_id_len,
			  device->replaces ? device->replaces : device->id);

	if (device->replaces || old >= 0) {
		if (at < 0 && old >= 0)
			key = dp_contexts(registry->dp)->names.kin[old].key;
		// It has derived a context whose row was in doubt until now.
		if (old >= 0 && registry->entry[old].id == device->id)
			own_first = own_next(&dp_contexts(registry->dp)->context[old], device);
		int rc = registry_drain_key(registry, &key, &before);

		if (rc == -ENOENT)
			rc = waiting_drop(registry, device->replaces);
		if (rc && rc != -ENOENT)
			return rc;
	}
	return device_add(registry, device, &before, own_first, &index);
}

int registry_rotate(struct registry *registry, const struct device_info *before,
	const struct device_keyed *device)
{
	struct drained drained = {0};
	struct dp_context_key key;
	uint32_t index;

	info_key(registry, before, &key);
	int rc = registry_drain_key(registry, &key, &drained);

	if (rc == -ENOENT)
		rc = waiting_drop(registry, before->id);
	return rc && rc != -ENOENT ? rc : device_add(registry, device, &drained, 0, &index);
}

uint32_t registry_next_base(const struct registry *registry, uint32_t context)
{
	const struct dp_context *ctx = &dp_contexts(registry->dp)->context[context];

	if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK)
		return 0;
	return __atomic_load_n(&ctx->run_base, __ATOMIC_RELAXED) +
		(__atomic_load_n(&ctx->own_counter, __ATOMIC_RELAXED) > DP_COUNTER_MAX / 2);
}

int registry_rederive(struct registry *registry, const struct device_keyed *device,
	uint32_t *context, uint32_t *generation)
{
	const struct dp_context_table *table = dp_contexts(registry->dp);
	struct drained before = {0};
	uint64_t own_first = 0;
	struct dp_context_key key;
	int64_t at = alias_find(registry, device->device_id, device->device_id_len, device->id);

	*generation = 0;
	registry_device_key(registry, device, &key);
	if (at >= 0 && at == dp_context_find(dp_contexts(registry->dp), &key)) {
		*context = at; // it has this context already
		*generation = registry->entry[at].generation;
		return 0;
	}
	if (at < 0) {
		(void)waiting_drop(registry, device->id);
	} else {
		own_first = own_next(&table->context[at], device);
		int rc = registry_drain_key(registry, &table->names.kin[at].key, &before);

		if (rc)
			return rc;
	}
	*context = DP_INDEX_NONE;
	int rc = device_add(registry, device, &before, own_first, context);

	if (!rc && *context != DP_INDEX_NONE)
		*generation = registry->entry[*context].generation;
	return rc;
}

bool registry_has(const struct registry *registry, const struct device_keyed *device)
{
	struct dp_context_key key;

	registry_device_key(registry, device, &key);
	int64_t at = dp_context_find(dp_contexts(registry->dp), &key);

	return (at >= 0 && registry->entry[at].id == device->id) ||
		registry_waits(registry, device->id);
}

int registry_resync(struct registry *registry, const struct device_keyed *device, uint64_t from)
{
	struct dp_context_key key;

	registry_device_key(registry, device, &key);
	int64_t index = dp_context_find(dp_contexts(registry->dp), &key);

	if (index < 0) {
		(void)waiting_drop(registry, device->id);
		return registry_add(registry, device);
	}
	if (registry->entry[index].id != device->id)
		return -ENOENT;
	return dp_resync(registry->dp, index, registry->entry[index].generation, from);
}

int registry_remove(struct registry *registry, const struct device_info *info)
{
	struct dp_context_key key;

	info_key(registry, info, &key);
	int rc = remove_key(registry, &key);

	return rc == -ENOENT ? waiting_drop(registry, info->id) : rc;
}

const struct dp_context *registry_find(
	const struct registry *registry, const struct device_info *info, uint32_t *index)
{
	struct dp_context_key key;

	info_key(registry, info, &key);
	int64_t at = dp_context_find(dp_contexts(registry->dp), &key);

	if (at < 0 || registry->entry[at].id != info->id)
		return NULL;
	*index = at;
	return &dp_contexts(registry->dp)->context[at];
}

uint32_t registry_next(const struct registry *registry, uint32_t from)
{
	uint32_t word = from / WORD_BITS;
	uint64_t bits;

	if (from >= registry->max)
		return registry->max;
	bits = registry->taken[word] & UINT64_MAX << from % WORD_BITS;
	while (!bits) {
		if (++word > registry->max / WORD_BITS)
			return registry->max;
		bits = registry->taken[word];
	}
	return word * WORD_BITS + __builtin_ctzll(bits);
}

const struct registry_entry *registry_get(
	const struct registry *registry, uint32_t context, uint32_t generation)
{
	const struct registry_entry *entry = &registry->entry[context];

	return context < registry->max && entry->generation == generation && entry->id ? entry
										       : NULL;
}

bool registry_name(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room)
{
	const struct registry *registry = arg;
	const struct registry_entry *entry = &registry->entry[context];

	if (context >= registry->max ||
		__atomic_load_n(&entry->generation, __ATOMIC_ACQUIRE) != generation)
		return false;
	size_t len = strnlen(entry->name, sizeof(entry->name) - 1);

	if (len >= room)
		return false;
	memcpy(buf, entry->name, len);
	buf[len] = 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&entry->generation, __ATOMIC_RELAXED) == generation;
}
