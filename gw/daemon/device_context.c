// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/device_context.h"

#include "gw/daemon/handshakes.h"
#include "gw/daemon/registry.h"

#include <string.h>
#include <time.h>

bool device_session(const struct daemon *daemon, uint64_t credential, struct session_view *session)
{
	const struct dp_context *context = dp_contexts(daemon->dp)->context;
	struct session_view other;

	if (!handshakes_session_next(daemon->handshakes, 0, credential, session))
		return false;
	if (!handshakes_session_next(daemon->handshakes, session->place + 1, credential, &other))
		return true;
	const bool is_newer = other.number > session->number;
	const struct session_view newer = is_newer ? other : *session;
	const struct session_view older = is_newer ? *session : other;

	*session = __atomic_load_n(&context[newer.context].accepted, __ATOMIC_RELAXED) ||
			!__atomic_load_n(&context[older.context].accepted, __ATOMIC_RELAXED)
		? newer
		: older;
	return true;
}

const struct dp_context *device_context(
	const struct daemon *daemon, const struct store_show_job *asked, uint32_t *index)
{
	const bool stored = !asked->job.result;
	const struct credential_owner *owner = NULL;
	struct session_view session;

	if (stored && !asked->info.credential[0])
		return registry_find(&daemon->registry, &asked->info, index);
	if (!stored && daemon->credentials)
		owner = credentials_used_by(daemon->credentials, asked->name);
	if (!(stored || owner) ||
		!device_session(daemon, stored ? asked->info.id : owner->id, &session))
		return NULL;
	*index = session.context;
	return &dp_contexts(daemon->dp)->context[*index];
}

bool device_of_authority(const struct daemon *daemon, const char *name, struct device_info *info)
{
	const struct credential_owner *owner =
		daemon->credentials ? credentials_used_by(daemon->credentials, name) : NULL;
	struct session_view session;

	if (!owner || !owner->rule || !device_session(daemon, owner->id, &session))
		return false;
	*info = (struct device_info){
		.id = owner->id,
		.credential = "x509",
		.expires = owner->not_after == INT64_MAX ? 0 : owner->not_after,
		.created = time(NULL) - (int64_t)(session.age_ms / 1000),
	};
	memcpy(info->name, owner->name, sizeof(info->name));
	memcpy(info->digest, owner->mark.digest, sizeof(info->digest));
	memcpy(info->settings.policy, owner->policy, sizeof(info->settings.policy));
	info->settings.max_message = owner->max_message;
	info->settings.max_in_flight = owner->max_in_flight;
	return true;
}
