// SPDX-License-Identifier: BSD-3-Clause
// The client's steps of RFC 8613 appendix B.2 (--b2): a context that is derived when there is none,
// or when the gateway asks for one, and kept beside the sequence numbers.

#ifndef POSTERN_GW_TOOLS_COAP_DERIVED_H
#define POSTERN_GW_TOOLS_COAP_DERIVED_H

#include "base/error.h"
#include "gw/tools/coap/context_file.h"
#include "gw/tools/coap/secure.h"

#define DERIVED_NONCE_LEN 8 // bytes of R1 and R3
#define DERIVED_RUNS_MAX  4 // for one request

// All zeros: contexts are not derived.
struct derived {
	enum {
		DERIVED_OFF,
		DERIVED_FIRST,  // R1: a request that no gateway serves
		DERIVED_FRESH,  // R2 || R3: nothing was answered under it yet
		DERIVED_STANDS, // kept
	} phase;
	unsigned runs;
	const char *base; // path of the state file of the keys
	char *numbers;    // path of the sequence numbers of this context; NULL in DERIVED_FIRST
	uint8_t kid_context[2 + OSC_ID_CONTEXT_LEN_MAX];
	uint8_t kid_context_len;
	uint8_t r2[OSC_ID_CONTEXT_LEN_MAX]; // of the answer
	uint8_t r2_len;                     // 0: it was none of a run
};

// Begins with the context that is kept beside `base`, or as one that has none (`anew`). Changes ID
// Context and keys of *context, and what session says. Returns 0 or -errno.
int derived_start(struct derived *derived, const char *base, bool anew,
	struct client_context *context, struct session *session, struct error *f)
	__attribute__((warn_unused_result));
void derived_free(struct derived *derived);
// Whether a message answers the request with an R2, by its kid context. Then it is opened, under
// the context of R2 and the request's ID Context.
bool derived_answer(struct derived *derived, const struct client_context *context,
	const struct session *session, uint64_t request_piv, const struct coap_msg *msg,
	struct answer *answer, enum answer_verdict *verdict);
// After an answer with an R2: derives the context for the request that comes next. Returns 0 or
// -errno, -ELOOP if the gateway does not come to an end.
int derived_next(struct derived *derived, struct client_context *context, struct session *session,
	struct error *f) __attribute__((warn_unused_result));
// After an answer under DERIVED_FRESH: keeps the context. Returns 0 or -errno.
int derived_keep(struct derived *derived, const struct client_context *context, struct error *f)
	__attribute__((warn_unused_result));

#endif
