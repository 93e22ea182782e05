// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/record.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void member(struct be_text *text, const char *name, const char *value)
{
	be_text_print(text, ",\"%s\":", name);
	be_text_json(text, value, strlen(value));
}

void be_record_start(struct be_text *text, const struct be_request *r, const char *server,
	const char *peer, uint64_t connection)
{
	text->len = 0;
	be_text_print(text, "{\"connection\":%" PRIu64, connection);
	member(text, "server", server);
	member(text, "peer", peer);
	member(text, "method", r->method);
	member(text, "target", r->target);
	be_text_print(text, ",\"headers\":{");
	for (size_t i = 0; i < r->headers; i++) {
		char name[256];
		size_t len = 0;

		for (const char *p = r->header[i].name; *p && len < sizeof(name); p++)
			name[len++] = (char)tolower((unsigned char)*p);
		be_text_print(text, "%s", i ? "," : "");
		be_text_json(text, name, len);
		be_text_print(text, ":");
		be_text_json(text, r->header[i].value, strlen(r->header[i].value));
	}
	be_text_print(text, "}");
}

void be_record_write(struct be_text *text, const char *body, size_t body_len, int fd)
{
	be_text_print(text, ",\"body\":");
	be_text_json(text, body, body_len);
	be_text_print(text, "}\n");
	if (write(fd, text->data, text->len) != (ssize_t)text->len) {
		perror("postern-backend: log");
		exit(1);
	}
}
