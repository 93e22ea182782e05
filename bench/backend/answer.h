// SPDX-License-Identifier: BSD-3-Clause
// Writes answers.

#ifndef POSTERN_BENCH_BACKEND_ANSWER_H
#define POSTERN_BENCH_BACKEND_ANSWER_H

#include "bench/backend/behaviour.h"
#include "bench/backend/text.h"

#include <stdbool.h>
#include <stddef.h>

// What an answer says beside its behaviour.
struct be_reply {
	const char *body;
	size_t body_len;
	const char *type; // of the body; NULL: text/plain
	bool head;        // the request was HEAD: no body
	bool last;        // says that the connection closes
};

// Appends the answer and what is surplus, up to where the connection is to be closed.
void be_answer_add(
	struct be_text *out, const struct be_behaviour *behaviour, const struct be_reply *reply);
// Appends the answers before it.
void be_answer_interim(struct be_text *out, const struct be_behaviour *behaviour);

#endif
