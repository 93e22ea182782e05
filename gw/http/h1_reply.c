// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1: takes what a server sends, and says what became of a request.

#include "gw/http/h1.h"

#include <string.h>

// "HTTP/1.1 200 OK". Returns the status or -1.
static int status_parse(const char *line, size_t len)
{
	if (len < 12 || memcmp(line, "HTTP/1.", 7) || line[8] != ' ')
		return -1;
	int status = 0;
	for (unsigned i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		status = status * 10 + (line[i] - '0');
	}
	return len == 12 || line[12] == ' ' ? status : -1;
}

static enum http_error head_line(struct h1_slot *slot, const char *line, size_t len)
{
	struct http_reply *reply = &slot->transfer->reply;

	if (!reply->status ||
		(slot->head_done && reply->status < 200 && len >= 5 && !memcmp(line, "HTTP/", 5))) {
		int status = status_parse(line, len);

		if (status < 0)
			return HTTP_ERR_bad_reply;
		reply->head_len += len;
		if (reply->head_len > HTTP_REPLY_HEAD)
			return HTTP_ERR_head_too_large;
		if (status == 101)
			return HTTP_ERR_bad_status; // no request asks for another protocol
		http_reply_status(reply, status);
		slot->head_done = false;
		return HTTP_ERR_none;
	}
	if (!len) {
		slot->head_done = true;
		return reply->status >= 200 ? http_head_take(slot->transfer) : HTTP_ERR_none;
	}
	if (slot->head_done && reply->status < 200)
		return HTTP_ERR_bad_reply; // neither an answer nor the next interim one
	if (slot->head_done)
		return http_trailer_take(slot->transfer, len);
	return http_reply_header(reply, line, len);
}

size_t h1_on_header(char *line, size_t size, size_t count, void *arg)
{
	struct h1_slot *slot = arg;
	size_t len = size * count, trimmed = len;

	if (trimmed && line[trimmed - 1] == '\n')
		trimmed--;
	if (trimmed && line[trimmed - 1] == '\r')
		trimmed--;
	slot->error = head_line(slot, line, trimmed);
	return slot->error ? 0 : len;
}

size_t h1_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct h1_slot *slot = arg;

	slot->error = http_body_take(&slot->body, slot->transfer, data, size * count);
	return slot->error ? 0 : size * count;
}

bool h1_is_answered(const struct h1_slot *slot)
{
	return slot->head_done && slot->transfer->reply.status >= 200;
}

bool h1_status_is_known(const struct h1_slot *slot, enum http_error error)
{
	return slot->transfer->reply.status >= 200 &&
		(slot->head_done || error == HTTP_ERR_head_too_large);
}

// What became of one whose body or chunks cannot be read. libcurl has 4 KB for a line of a trailer,
// and calls a longer one a want of memory.
static enum http_error error_of_chunks(const struct h1_slot *slot)
{
	if (!strstr(slot->why, "chunk"))
		return HTTP_ERR_reset;
	return h1_is_answered(slot) && strstr(slot->why, "memory") ? HTTP_ERR_head_too_large
								   : HTTP_ERR_bad_reply;
}

enum http_error h1_error_of(const struct h1_slot *slot, CURLcode code)
{
	const struct http_transfer *t = slot->transfer;

	if (slot->error)
		return slot->error;
	switch (code) {
	case CURLE_OK:
		return h1_is_answered(slot) ? HTTP_ERR_none : HTTP_ERR_reset; // closed in the head
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SETOPT_OPTION_SYNTAX: // of CURLOPT_RESOLVE: a name without an address
		return HTTP_ERR_dns;
	case CURLE_COULDNT_CONNECT:
		return slot->local_errno ? HTTP_ERR_local : HTTP_ERR_connect;
	case CURLE_SSL_CERTPROBLEM: // files of this machine that cannot be read now
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ENGINE_INITFAILED:
		return HTTP_ERR_local;
	case CURLE_OPERATION_TIMEDOUT:
		return t->connect_ms && !t->sent ? HTTP_ERR_connect : HTTP_ERR_timeout;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_ERR_tls;
	case CURLE_RECV_ERROR:
		return error_of_chunks(slot);
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
		return HTTP_ERR_reset;
	case CURLE_OUT_OF_MEMORY: // also of a header line above libcurl's own limit
		return t->sent && !h1_is_answered(slot) ? HTTP_ERR_head_too_large
							: HTTP_ERR_no_memory;
	default:
		return HTTP_ERR_bad_reply;
	}
}
