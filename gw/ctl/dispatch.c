// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/dispatch.h"

#include "gw/ctl/message.h"

#include <stdio.h>

void ctl_reject(struct ctl_requests *requests, struct ctl_peer *peer, uint64_t id,
	enum ctl_error error, const char *format, ...)
{
	char text[CTL_TEXT_MAX + 1];
	struct ctl_writer out;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	requests->stats->rejected++;
	ctl_message_write_error(&out, id, error, text);
	ctl_peer_send(requests->peers, peer, out.data, out.len);
	ctl_requests_end_gone(requests);
}

static const struct ctl_verb *verb_find(
	const struct ctl_verb_table *table, const struct ctl_cbor *name)
{
	for (size_t i = 0; i < table->count; i++) {
		if (ctl_cbor_is_text(name, table->verbs[i].name))
			return &table->verbs[i];
	}
	return NULL;
}

void ctl_dispatch(const struct ctl_verb_table *table, struct ctl_requests *requests,
	struct ctl_peer *peer, const uint8_t *data, size_t len, int *fds, unsigned fd_count)
{
	enum ctl_cbor_verdict verdict = ctl_cbor_walk(data, len);
	struct ctl_message message;
	const struct ctl_verb *verb;
	struct ctl_request *req;

	if (verdict != CTL_CBOR_OK) {
		ctl_reject(
			requests, peer, 0, CTL_BAD_REQUEST, "%s", ctl_cbor_verdict_text(verdict));
		return;
	}
	if (!ctl_message_read(&message, data, len, false) || message.id == 0) {
		ctl_reject(requests, peer, 0, CTL_BAD_REQUEST,
			"a request is [id, verb, {arguments}] with an id above 0");
		return;
	}
	verb = verb_find(table, &message.word);
	if (verb == NULL) {
		ctl_reject(requests, peer, message.id, CTL_UNKNOWN_VERB, "no such verb");
	} else if (peer->level < verb->level) {
		ctl_reject(requests, peer, message.id, CTL_DENIED, "%s needs level %s, you have %s",
			verb->name, ctl_level_name(verb->level), ctl_level_name(peer->level));
	} else if (fd_count != verb->takes_fd) {
		ctl_reject(requests, peer, message.id, CTL_BAD_REQUEST,
			"%s takes %s file descriptor", verb->name, verb->takes_fd ? "one" : "no");
	} else {
		req = ctl_request_create(requests, peer, message.id, verb->takes_fd ? fds[0] : -1);
		if (req == NULL) {
			ctl_reject(requests, peer, message.id, CTL_BUSY, "out of memory");
			return;
		}
		if (verb->takes_fd)
			fds[0] = -1;
		verb->handler(table->arg, req, &message.map);
	}
}
