// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/refused.h"

#include "base/clock.h"
#include "dataplane/coap/message.h"
#include "dataplane/refused.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// What is sent, while the client reads it. Packets are copied before the first is sent, so that all
// are of one moment.
struct showing {
	const struct daemon *daemon;
	uint64_t now_ms;  // of that moment: CLOCK_MONOTONIC ..
	uint64_t wall_ms; // .. and Unix time
	unsigned at, count;
	struct dp_refused_of packet[];
};

static void source_put(struct ctl_writer *body, const struct dp_refused_packet *packet)
{
	char text[INET6_ADDRSTRLEN];

	if (!packet->has_source)
		return;
	inet_ntop(packet->source_family == 4 ? AF_INET : AF_INET6, packet->source, text,
		sizeof(text));
	ctl_put_text(body, "source", text);
	if (packet->source_port)
		ctl_put_uint(body, "source_port", ntohs(packet->source_port));
}

static void kid_put(const struct registry *registry, struct ctl_writer *body,
	const struct dp_refused_packet *packet)
{
	const struct registry_entry *entry = packet->context == DP_INDEX_NONE
		? NULL
		: registry_get(registry, packet->context, packet->generation);

	if (packet->has_kid) {
		ctl_put_bytes(body, "kid", packet->kid, RTE_MIN(packet->kid_len, DP_REFUSED_KID));
		ctl_put_uint(body, "kid_len", packet->kid_len);
	}
	if (packet->has_kid_context) {
		ctl_put_bytes(body, "kid_context", packet->kid_context,
			RTE_MIN(packet->kid_context_len, DP_REFUSED_KID_CONTEXT));
		ctl_put_uint(body, "kid_context_len", packet->kid_context_len);
	}
	if (packet->has_piv)
		ctl_put_uint(body, "piv", packet->piv);
	ctl_put_text(body, "device", entry ? entry->name : NULL);
}

static void packet_reply(
	const struct showing *showing, struct ctl_request *req, const struct dp_refused_of *of)
{
	const struct dp_refused_packet *packet = &of->packet;
	const struct daemon *daemon = showing->daemon;
	const uint64_t ago = showing->now_ms > packet->ms ? showing->now_ms - packet->ms : 0;
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "reason", dp_stat_infos[packet->reason].name);
	ctl_put_text(&body, "help", dp_stat_infos[packet->reason].help);
	ctl_put_uint(&body, "time_ms", showing->wall_ms - ago);
	ctl_put_uint(&body, "worker", of->worker);
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].port_id == packet->port_id)
			ctl_put_text(&body, "port", daemon->port[i].conf->name);
	source_put(&body, packet);
	kid_put(&daemon->registry, &body, packet);
	if (packet->bad_at != DP_REFUSED_NOWHERE)
		ctl_put_uint(&body, "bad_at", packet->bad_at);
	if (packet->fault)
		ctl_put_text(&body, "fault", coap_verdict_name(packet->fault));
	ctl_put_text(&body, "of", packet->frame ? "frame" : "message");
	ctl_put_uint(&body, "len", packet->len);
	ctl_put_bool(&body, "opened", packet->opened);
	ctl_put_bytes(&body, "bytes", packet->bytes, packet->bytes_len);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

static bool next(void *arg, struct ctl_request *req)
{
	struct showing *showing = arg;

	if (showing->at == showing->count)
		return false;
	packet_reply(showing, req, &showing->packet[showing->at++]);
	return true;
}

static int newer_first(const void *a, const void *b)
{
	const struct dp_refused_of *one = a, *other = b;

	return one->packet.ms < other->packet.ms ? 1 : one->packet.ms > other->packet.ms ? -1 : 0;
}

// Takes the newest packet of each reason, then the second of each, and so on, until there are as
// many as wanted: a flood of one leaves room for the others here, too.
static void take(struct showing *showing, enum dp_stat first, unsigned reasons, unsigned limit,
	struct dp_refused_of *all)
{
	const unsigned most = dp_refused_most(showing->daemon->dp);
	unsigned counts[DP_REFUSED_REASONS];

	for (unsigned i = 0; i < reasons; i++)
		counts[i] = dp_refused_read(showing->daemon->dp, first + i, &all[i * most]);
	for (unsigned k = 0; k < most; k++)
		for (unsigned i = 0; i < reasons && showing->count < limit; i++)
			if (k < counts[i])
				showing->packet[showing->count++] = all[i * most + k];
	qsort(showing->packet, showing->count, sizeof(showing->packet[0]), newer_first);
}

// Sets *first to the reason of that name, with or without "drop_". False if there is none.
static bool reason_find(const char *name, enum dp_stat *first)
{
	for (unsigned i = 0; i < DP_REFUSED_REASONS; i++) {
		const char *known = dp_stat_infos[DP_REFUSED_FIRST + i].name;

		*first = DP_REFUSED_FIRST + i;
		if (!strcmp(name, known) || !strcmp(name, known + strlen("drop_")))
			return true;
	}
	return false;
}

void verb_show_refused(void *arg, struct ctl_request *req, const char *reason, unsigned limit)
{
	static const struct ctl_stream stream = {.next = next, .done = free};
	const struct daemon *daemon = arg;
	enum dp_stat first = DP_REFUSED_FIRST;
	const unsigned reasons = reason[0] ? 1 : DP_REFUSED_REASONS;
	const unsigned most = reasons * dp_refused_most(daemon->dp);
	struct dp_refused_of *all;
	struct showing *showing;
	struct timespec now;

	if (reason[0] && !reason_find(reason, &first)) {
		ctl_request_error(req, CTL_BAD_REQUEST,
			"reason: no counter of refused packets has this name");
		return;
	}
	all = calloc(most, sizeof(*all));
	showing = calloc(1, sizeof(*showing) + RTE_MIN(limit, most) * sizeof(showing->packet[0]));
	if (!all || !showing) {
		free(all);
		free(showing);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	showing->daemon = daemon;
	showing->now_ms = clock_ms();
	showing->wall_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	take(showing, first, reasons, limit, all);
	free(all);
	ctl_request_stream(req, &stream, showing);
}
