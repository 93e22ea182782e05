// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/room.h"

#include "dataplane/worker/send.h"

uint16_t dp_response_max(struct dp_worker *w, uint16_t port_id, uint8_t family, uint16_t token_len,
	const struct dp_context *ctx)
{
	// CoAP header with the longest token length, OSCORE option with flags, Partial IV and kid,
	// payload marker, tag.
	unsigned around = 4 + 2 + token_len + 2 + 1 + OSC_PIV_LEN_MAX + ctx->sender_id_len + 1 +
		aead_algs[ctx->alg].tag_len;
	unsigned headers = (family == 4 ? 20 : 40) + 8;
	const struct dp_worker_port *port = dp_port_find(w, port_id);
	unsigned mtu = port ? port->mtu : 0;
	unsigned room = headers < mtu ? mtu - headers : 0;

	room = RTE_MIN(room, dp_max_message(w, ctx));
	return around < room ? room - around : 0;
}
