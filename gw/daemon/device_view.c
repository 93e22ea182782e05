// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/device_view.h"

#include "base/clock.h"
#include "dataplane/shared/bucket.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/registry.h"

// What the owner of a context writes meanwhile.
#define READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

// A device beyond a limit of its keys is still served, or whoever can send packets could shut it
// out.
static bool beyond_limit(const struct dp_context *ctx, const struct dp_side *side)
{
	return dp_context_uses(ctx, side) >= DP_LIMIT_USES ||
		READ(side->failed) >= dp_limit_forgeries(ctx->alg);
}

enum ctl_device_state device_view_state(const struct dp_context_table *table, uint32_t index)
{
	const struct dp_context *ctx = &table->context[index];

	switch ((enum dp_context_state)READ(ctx->state)) {
	case DP_CONTEXT_WINDOW_UNKNOWN:
		return CTL_DEVICE_WINDOW_UNKNOWN;
	case DP_CONTEXT_ECHO_PENDING:
		return CTL_DEVICE_ECHO_PENDING;
	case DP_CONTEXT_REPLAY_LOCKED:
		return CTL_DEVICE_REPLAY_LOCKED;
	case DP_CONTEXT_REKEYING:
		return CTL_DEVICE_REKEYING;
	case DP_CONTEXT_ACTIVE:
	case DP_CONTEXT_DRAINING: // no device has it any more
	case DP_CONTEXT_STATE_COUNT:
		break;
	}
	return beyond_limit(ctx, &table->side[index]) ? CTL_DEVICE_LIMIT_REACHED
						      : CTL_DEVICE_ACTIVE;
}

// CLOCK_MONOTONIC in seconds; 0: nothing came yet.
static uint64_t seen_s(const struct dp_context *ctx, const struct dp_side *side)
{
	return RTE_MAX(__atomic_load_n(&ctx->last_accepted_s, __ATOMIC_RELAXED),
		__atomic_load_n(&side->last_refused_s, __ATOMIC_RELAXED));
}

uint64_t device_view_silent_ms(const struct daemon *daemon, uint32_t index, uint64_t now_ms)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);
	uint64_t seen_ms = seen_s(&table->context[index], &table->side[index]) * 1000;

	seen_ms = RTE_MAX(seen_ms, daemon->started_ms);
	return seen_ms < now_ms ? now_ms - seen_ms : 0;
}

bool device_view_limited(const struct daemon *daemon, const struct device_limits *limits,
	uint32_t index, uint64_t now_ms)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);
	const struct dp_context *ctx = &table->context[index];
	unsigned most = dp_context_max_in_flight(ctx);

	if (!most)
		most = limits->max_in_flight;
	if (most && __atomic_load_n(&ctx->in_flight_count, __ATOMIC_RELAXED) >= most)
		return true;
	uint32_t last_s = __atomic_load_n(&ctx->last_accepted_s, __ATOMIC_RELAXED);

	if (limits->rate_cost && last_s && !dp_bucket_is_aged(last_s, (uint32_t)(now_ms / 1000))) {
		uint32_t missing =
			dp_bucket_missing(__atomic_load_n(&ctx->rate_at, __ATOMIC_RELAXED),
				dp_bucket_now(now_ms), limits->rate_fill);

		if (limits->rate_cost > limits->rate_fill - missing)
			return true;
	}
	return beyond_limit(ctx, &table->side[index]);
}

// Whether it was challenged because of an old number, and none of its requests was accepted since.
static bool suspected(const struct dp_context *ctx, const struct dp_side *side)
{
	return __atomic_load_n(&side->suspect_s, __ATOMIC_RELAXED) &&
		__atomic_load_n(&side->suspect_accepted, __ATOMIC_RELAXED) ==
		__atomic_load_n(&ctx->accepted, __ATOMIC_RELAXED);
}

// Why a stored device is not live. Without a reason here the words of its state say it.
static void not_live(
	const struct daemon *daemon, const struct device_info *stored, struct ctl_device_info *info)
{
	if (stored->resync_needed) {
		info->reason = "it recovers by a floor, and the store is a copy: what the "
			       "original accepted since is not known";
		info->remedy = "device resync NAME --from M, its next sequence number";
	} else if (stored->damaged) {
		info->reason = "its keys do not open: its row was changed or damaged";
		info->remedy = "new keys: device rotate NAME FILE";
	} else if (stored->credential[0]) {
		info->reason = "it has a credential, and keys once it has agreed on some by EDHOC";
		info->remedy = "none: it makes a handshake when it comes";
	} else if (registry_waits(&daemon->registry, stored->id)) {
		info->reason = "a worker has yet to let go of the same keys, or of the "
			       "place, of a device that was removed just now";
		info->remedy = "none: it is served within moments";
	}
}

// A device whose policy is not known gets nothing, whatever else it is.
static void permit_view(
	const struct daemon *daemon, const struct dp_context *ctx, struct ctl_device_info *info)
{
	uint16_t permit = dp_context_permit(ctx);

	if (policies_is_configured(&daemon->registry.policies, permit))
		return;
	info->reason = "the configuration lacks its policy: all its requests are refused (4.03)";
	info->remedy = permit == DP_PERMIT_NOTHING
		? "a restart: more names of policies were used since the start than are counted"
		: "add the policy to policies: in the configuration and reload, or give it "
		  "another one: device add --replace --policy NAME";
}

// The state, its reason if the state's own words do not say it all, and the limits of the keys.
static void state_view(const struct daemon *daemon, uint32_t index, struct ctl_device_info *info)
{
	const struct dp_context *ctx = &dp_contexts(daemon->dp)->context[index];
	const struct dp_side *side = &dp_contexts(daemon->dp)->side[index];

	info->state = device_view_state(dp_contexts(daemon->dp), index);
	info->uses = dp_context_uses(ctx, side);
	info->uses_limit = DP_LIMIT_USES;
	info->forgeries = READ(side->failed);
	info->forgeries_limit = dp_limit_forgeries(ctx->alg);
	if (info->state == CTL_DEVICE_LIMIT_REACHED && info->forgeries >= info->forgeries_limit)
		info->reason = "more messages with a wrong tag came than its keys stand";
	if (info->state == CTL_DEVICE_ACTIVE && suspected(ctx, side)) {
		info->reason = "old numbers are being received; the device did not answer a "
			       "challenge";
		info->remedy = "none by this alone: whoever recorded its packets can send them. If "
			       "it is not served, look whether it lost its counter";
	}
	if (info->state == CTL_DEVICE_ACTIVE || info->state == CTL_DEVICE_LIMIT_REACHED)
		permit_view(daemon, ctx, info);
}

// The last own Partial IV that was used, by the clock or by a counter within the run.
static void own_piv_view(
	const struct daemon *daemon, const struct dp_context *ctx, struct ctl_device_info *info)
{
	const uint64_t next = READ(ctx->own_next);
	const uint32_t counter = READ(ctx->own_counter);
	uint32_t run;

	if (ctx->flags & DP_CONTEXT_OWN_PIV_PLAIN) {
		info->has_own_piv = next != 0;
		info->own_piv = next - 1;
	} else if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		info->has_own_piv = next & ((1 << DP_CLOCK_BITS) - 1);
		info->own_piv = next - 1;
	} else if (counter && dp_run(daemon->dp, &run)) {
		const uint32_t last = RTE_MIN(counter - 1, DP_COUNTER_MAX);

		info->has_own_piv = true;
		info->own_piv = ((uint64_t)(run + READ(ctx->run_base)) << DP_COUNTER_BITS) + last;
	}
}

// What is else to be said of a device that is served by a session.
static void session_words(const struct session_view *session, struct ctl_device_info *info)
{
	if (session->over) {
		info->reason = "its session is over: its next request is answered 4.01";
		info->remedy = "none: it agrees on another one";
	} else if (info->state == CTL_DEVICE_LIMIT_REACHED) {
		info->remedy = "edhoc end NAME: it agrees on other keys";
	}
}

void device_view_make(
	const struct daemon *daemon, const struct device_info *stored, struct ctl_device_info *info)
{
	struct session_view session;
	const bool has_session =
		stored->credential[0] && device_session(daemon, stored->id, &session);
	uint32_t index = has_session ? session.context : DP_INDEX_NONE;
	const struct dp_context *ctx = has_session
		? &dp_contexts(daemon->dp)->context[index]
		: registry_find(&daemon->registry, stored, &index);

	*info = (struct ctl_device_info){.stored = stored, .live = ctx != NULL, .worker = -1};
	if (!ctx) {
		not_live(daemon, stored, info);
		return;
	}
	uint64_t now_s = clock_ms() / 1000;
	const struct dp_side *side = &dp_contexts(daemon->dp)->side[index];
	uint64_t last_s = seen_s(ctx, side);
	uint8_t owner = __atomic_load_n(&ctx->owner, __ATOMIC_RELAXED);

	state_view(daemon, index, info);
	if (has_session)
		session_words(&session, info);
	if (ctx->flags & DP_CONTEXT_FLOOR) {
		info->has_mark = true;
		info->mark = READ(ctx->mark);
	}
	const uint64_t next = READ(ctx->window.next);

	info->has_highest_piv = next != 0;
	info->highest_piv = next - 1;
	info->seen = last_s != 0;
	info->last_seen_ms = last_s < now_s ? (now_s - last_s) * 1000 : 0;
	info->requests = READ(ctx->accepted);
	info->in_flight = READ(ctx->in_flight_count);
	if (owner < dp_worker_count(daemon->dp))
		info->worker = owner;
	own_piv_view(daemon, ctx, info);
}
