// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/fresh.h"

uint64_t dp_fresh_age(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner)
{
	const uint32_t context = vec->context[slot], generation = vec->generation[slot];
	struct coap_option echo;

	if (!coap_option_find(&inner->body, COAP_OPT_ECHO, &echo))
		return DP_ECHO_NONE;
	uint64_t age = dp_echo_age(
		&w->echo, context, generation, DP_ECHO_FRESH, w->now_ms, echo.value, echo.len);

	if (age != DP_ECHO_NONE)
		return age;
	return dp_echo_age(&w->echo, context, generation, dp_side(w, context)->unknown_phases,
		w->now_ms, echo.value, echo.len);
}

bool dp_fresh_due(const struct dp_inner *inner)
{
	return !inner->options.more_blocks &&
		(inner->options.has_block1 || !inner->options.later_block);
}

bool dp_fresh_take(struct dp_worker *w, uint32_t context)
{
	struct dp_side *side = dp_side(w, context);
	uint16_t second = w->now_ms / 1000;

	if (side->challenge_second != second) {
		side->challenge_second = second;
		side->challenges = 0;
	}
	if (side->challenges >= DP_FRESH_PER_SECOND)
		return false;
	side->challenges++;
	return true;
}

bool dp_fresh_asked(const uint8_t *plaintext, uint16_t len)
{
	struct coap_option echo;
	struct coap_body body;

	return plaintext[0] == COAP_UNAUTHORIZED &&
		coap_body_parse_max(&body, plaintext + 1, len - 1, DP_INNER_OPTIONS_MAX) ==
		COAP_OK &&
		coap_option_find(&body, COAP_OPT_ECHO, &echo) && !echo.len;
}
