// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_upstream.h"

#include <string.h>

void upstream_answer(struct bed *bed, uint8_t code, uint8_t payload_len)
{
	struct dp_loop_port *port = &dp_loop(bed->dp, 0)->port[0];
	dp_handle handles[DP_BURST];
	unsigned n;

	while ((n = dp_loop_receive(port, handles, DP_BURST))) {
		for (unsigned i = 0; i < n; i++) {
			struct dp_shared *shared = dp_shared_get(port->pool, handles[i]);

			if (!shared)
				bed_die("the worker took an exchange back from its upstream");
			uint8_t *response = dp_shared_response(shared);

			response[0] = code;
			shared->response.len = 1;
			if (payload_len) {
				response[1] = COAP_PAYLOAD_MARK;
				memset(response + 2, 'x', payload_len);
				shared->response.len += 1 + payload_len;
			}
			dp_loop_respond(port, handles[i]);
		}
	}
}

unsigned upstream_under_way(const struct bed *bed)
{
	return dp_worker_exchanges(bed->dp) - dp_worker_exchanges_free(bed->dp, 0);
}
