// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/core.h"

#include "dataplane/shared/policy.h"
#include "gw/map/core.h"
#include "gw/map/response.h"
#include "gw/upstream/body_answer.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <time.h>

#define MAX_AGE "max-age=60" // a reload may change the list

// The policy by which the worker let the request through; NULL: there is none of that number.
static const struct conf_policy *policy_of(const struct conf *conf, uint16_t number)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].number == number)
			return &conf->policies[i];
	return NULL;
}

// The list, as if a server had sent it. False if it is asked for with too many filters.
static bool list_make(
	struct up_call *call, const struct map_request *message, struct http_reply *reply)
{
	static const struct conf_policy nothing;
	struct up_loop *loop = call->group->loop;
	const struct conf *conf = call->snapshot->conf;
	uint16_t permit = call->shared->request.permit;
	const struct conf_policy *policy = policy_of(conf, permit);
	struct http_text text;

	if (!policy && permit != DP_PERMIT_ALL)
		policy = &nothing;
	http_text_init(&text, (char *)loop->scratch, sizeof(loop->scratch));
	if (!map_core_write(&text, conf, policy, &message->body))
		return false;
	http_reply_init(reply);
	http_reply_status(reply, 200);
	reply->field[HTTP_FIELD_CONTENT_TYPE] = "application/link-format";
	reply->field[HTTP_FIELD_CACHE_CONTROL] = MAX_AGE;
	reply->body = loop->scratch;
	reply->body_len = (size_t)(text.at - (char *)loop->scratch);
	return true;
}

void up_core_answer(struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	static _Thread_local struct http_reply reply;
	struct map_request message;
	struct map_response mapping = {
		.etags = loop->etags,
		.now = time(NULL),
		.retry_s = up_retry_seconds(loop),
		.max_age_max = 60,
		.out = dp_shared_response(shared),
		.room = device->response_max,
		.payload_max = device->payload_max,
	};
	enum http_error error = map_request_parse(
		&message, call->route, device->code, dp_shared_body(shared), device->body_len);

	if (!error && !list_make(call, &message, &reply))
		error = HTTP_ERR_bad_query;
	if (error) {
		up_call_fail(call, error);
		return;
	}
	if (up_body_needed(call, &reply)) {
		call->error = up_body_answer(call, &reply, &message, &mapping);
	} else {
		call->error = map_response_build(&reply, &message, &mapping);
		shared->response.len = mapping.len;
	}
	if (call->error)
		up_stat_add(call->group, UP_STAT_ERROR + call->error, 1);
	up_call_return(call);
}
