// SPDX-License-Identifier: BSD-3-Clause
// Reads the heads of HTTP/1.1 requests (RFC 9112), strictly: what a proxy and a backend could
// understand differently is refused, whoever sent it.

#ifndef POSTERN_BENCH_BACKEND_REQUEST_H
#define POSTERN_BENCH_BACKEND_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BE_HEAD_MAX    65536
#define BE_HEADERS_MAX 128

struct be_header {
	const char *name;  // as it was sent
	const char *value; // without blanks around it
};

// All text is in the buffer that the head was parsed in.
struct be_request {
	const char *method;
	const char *target;
	struct be_header header[BE_HEADERS_MAX];
	size_t headers;
	bool keep_alive;      // the client takes another answer on this connection
	bool chunked;         // the body is; length is 0
	bool expect_continue; // it waits for 100 Continue
	uint64_t length;      // of the body
};

// Parses the head that buf begins with, in place: lines and fields get a NUL behind them. Returns
// the length of the head, 0 if it is not there yet (buf is unchanged), or minus the status with
// which it is to be refused (400, 417, 431, 501 or 505).
ssize_t be_request_parse(struct be_request *request, char *buf, size_t len)
	__attribute__((warn_unused_result));

// The value of the only header of that name, NULL if there is none.
const char *be_request_header(const struct be_request *request, const char *name);

#endif
