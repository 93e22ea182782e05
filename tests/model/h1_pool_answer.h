// SPDX-License-Identifier: BSD-3-Clause
// What a hostile server says: answers, and what is none.

#ifndef POSTERN_TESTS_MODEL_H1_POOL_ANSWER_H
#define POSTERN_TESTS_MODEL_H1_POOL_ANSWER_H

#include "tests/model/h1_pool.h"

// How an answer tells its end, or what is wrong with it.
enum pool_style {
	POOL_LENGTH,
	POOL_CHUNKED,
	POOL_TO_END,
	POOL_OLD_KEPT, // HTTP/1.0
	POOL_HONEST,   // so many of them are
	POOL_OLD = POOL_HONEST,
	POOL_CLOSE,     // Connection: close
	POOL_CUT,       // closed within
	POOL_SURPLUS,   // one more behind it
	POOL_TWICE,     // the same again
	POOL_RUBBISH,   // bytes that are no HTTP
	POOL_BAD_CHUNK, // a size that is none, in the middle
	POOL_BAD_HEAD,  // lengths that two readers could understand differently
	POOL_CONTINUES, // 1xx without end
	POOL_TOO_LARGE, // more than is allowed
	POOL_STYLES,
};

struct pool_answer {
	enum pool_style style;
	bool to_end, closes; // its end is that of the connection; the connection is not kept
	uint32_t keep_ms;    // for which it may be
	uint8_t *bytes;
	size_t len, room;
	size_t head_end; // of the final head
	size_t end;      // of the answer; SIZE_MAX: it has none. What is behind is nobody's
};

// Makes one, to this request.
void pool_answer_make(struct pool_answer *answer, uint32_t id, enum pool_style style);
// Makes one, or a part of one, or rubbish, which is to no request.
void pool_answer_make_surplus(struct pool_answer *answer);

#endif
