// SPDX-License-Identifier: BSD-3-Clause
// What requests change is no longer what is stored. Every call passes here when it is over.

#include "gw/upstream/cache.h"
#include "gw/upstream/observed.h"

void up_cache_change(struct up_loop *loop, const uint8_t *options, size_t len)
{
	struct coap_body message;

	if (!loop->cache || coap_body_parse(&message, options, len) != COAP_OK)
		return;
	struct dp_reps *reps = loop->cache->reps;

	dp_rep_epoch_raise(reps, dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &message)));
	up_observed_changed(loop);
}

void up_cache_changed(const struct up_call *call)
{
	const struct dp_request *device = &call->shared->request;

	if (!call->route || !call->route->invalidates || !call->sent || device->code == COAP_GET ||
		device->code == COAP_FETCH)
		return;
	// What was refused changed nothing, unless another server was asked before; of all else
	// that is not sure.
	if (call->status >= 400 && call->status <= 499 && call->tries <= 1)
		return;
	up_cache_change(call->group->loop, dp_shared_body(call->shared), device->body_len);
}
