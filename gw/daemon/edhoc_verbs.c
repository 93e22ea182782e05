// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/edhoc_verbs.h"

#include "base/clock.h"
#include "gw/daemon/device_view.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/registry.h"
#include "gw/handshake/trust.h"
#include "gw/os/log.h"

#include <time.h>

static void put_numbers(struct ctl_writer *body, const char *key, uint64_t numbers)
{
	ctl_write_text(body, key);
	ctl_write_array(body);
	for (unsigned n = 0; n < 64; n++)
		if (numbers >> n & 1)
			ctl_write_uint(body, n);
	ctl_write_close(body);
}

static void identity_reply(const struct daemon *daemon, struct ctl_request *req, unsigned i)
{
	const struct edhoc_own *own = &daemon->identity->own[i];
	const struct edhoc_credential *credential = &daemon->identity->credential[i];
	const struct conf_edhoc *conf = &daemon->snapshot->conf->edhoc;
	struct edhoc_bytes bytes = own->item;
	struct edhoc_reader reader = edhoc_reader(bytes.data, bytes.len);
	struct credential_mark mark = {0};
	uint64_t methods = 0, suites = 0;
	struct ctl_writer body;

	// Files of devices have a certificate without the head of the byte string.
	if (own->x509)
		(void)!edhoc_read_bytes(&reader, &bytes.data, &bytes.len);
	(void)!credential_mark_read(own->item, own->x509, &mark);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_bytes(&body, "credential", bytes.data, bytes.len);
	ctl_put_text(&body, "kind", own->x509 ? "x509" : "ccs");
	ctl_put_text(&body, "id_cred", edhoc_id_cred_kind_name(own->id_cred.kind));
	if (credential->kid.len)
		ctl_put_bytes(&body, "kid", credential->kid.data, credential->kid.len);
	if (own->x509)
		ctl_put_bytes(&body, "x5t", mark.digest, 8);
	ctl_put_bytes(&body, "sha256", mark.digest, sizeof(mark.digest));
	identity_credential_offers(credential, conf, &methods, &suites);
	put_numbers(&body, "methods", methods);
	put_numbers(&body, "suites", suites);
	ctl_put_bool(&body, "used", identity_is_used(daemon->identity, i, conf));
	ctl_put_text(&body, "file", conf->identity[daemon->identity->file[i]]);
	if (credential->not_after != INT64_MAX)
		ctl_put_uint(&body, "expires", (uint64_t)credential->not_after);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void verb_edhoc_identity(void *arg, struct ctl_request *req)
{
	const struct daemon *daemon = arg;
	const struct identity *identity = daemon->identity;

	for (unsigned i = 0; identity && i < identity->count; i++)
		identity_reply(daemon, req, i);
	ctl_request_end(req);
}

// The credential that a device uses now; NULL: it has no session.
static const struct credential_owner *owner_of(const struct daemon *daemon, const char *device)
{
	return daemon->credentials ? credentials_used_by(daemon->credentials, device) : NULL;
}

static void session_reply(
	const struct daemon *daemon, struct ctl_request *req, const struct session_view *session)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);
	const struct dp_context *ctx = &table->context[session->context];
	const struct credential_owner *owner =
		credentials_used(daemon->credentials, session->credential);
	const struct registry_entry *entry =
		registry_get(&daemon->registry, session->context, session->generation);
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "after", session->place + 1);
	ctl_put_text(&body, "device", entry ? entry->name : NULL);
	ctl_put_bytes(&body, "device_id", session->c_r.bytes, session->c_r.len);
	if (owner) {
		ctl_put_text(&body, "credential", owner->mark.serial_len ? "x509" : "ccs");
		ctl_put_bytes(&body, "sha256", owner->mark.digest, sizeof(owner->mark.digest));
		ctl_put_bool(&body, "by_rule", owner->rule);
	}
	ctl_put_uint(&body, "method", session->method);
	ctl_put_uint(&body, "suite", session->suite);
	ctl_put_text(&body, "state",
		session->over                                               ? "over"
			: __atomic_load_n(&ctx->accepted, __ATOMIC_RELAXED) ? "used"
									    : "new");
	ctl_put_uint(&body, "age_ms", session->age_ms);
	ctl_put_uint(&body, "idle_ms",
		RTE_MIN(device_view_silent_ms(daemon, session->context, clock_ms()),
			session->age_ms));
	ctl_put_uint(&body, "requests", __atomic_load_n(&ctx->accepted, __ATOMIC_RELAXED));
	ctl_put_uint(&body, "uses", dp_context_uses(ctx, &table->side[session->context]));
	ctl_put_uint(&body, "uses_limit", DP_LIMIT_USES);
	ctl_put_uint(&body, "expires", (uint64_t)time(NULL) + session->left_ms / 1000);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void verb_edhoc_sessions(void *arg, struct ctl_request *req, const struct ctl_sessions *asked)
{
	const struct daemon *daemon = arg;
	const struct credential_owner *owner = owner_of(daemon, asked->device);
	uint32_t place = asked->after;
	struct session_view session;

	if (!asked->device[0] || owner) {
		const uint64_t credential = owner ? owner->id : 0;

		for (unsigned n = 0; n < asked->limit &&
			handshakes_session_next(daemon->handshakes, place, credential, &session);
			n++) {
			session_reply(daemon, req, &session);
			place = session.place + 1;
		}
	}
	ctl_request_end(req);
}

void verb_edhoc_end(void *arg, struct ctl_request *req, const char *device)
{
	const struct daemon *daemon = arg;
	const struct credential_owner *owner = owner_of(daemon, device);
	const uint64_t credential = owner ? owner->id : 0;
	struct session_view session;
	unsigned ended = 0;
	struct ctl_writer body;

	for (uint32_t place = 0; credential &&
		handshakes_session_next(daemon->handshakes, place, credential, &session);
		place = session.place + 1)
		ended++;
	if (credential)
		credentials_end(daemon->credentials, credential);
	log_notice("audit: uid %ld ended %u sessions of device %s", (long)ctl_request_uid(req),
		ended, device);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "ended", ended);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}
