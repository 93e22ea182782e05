// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/upload.h"

#include "gw/web/json.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define BODY_FIRST 4096 // bytes of the first room

struct web_upload *web_upload_make(struct web *web, const char *target)
{
	struct web_upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		return NULL;
	upload->web = web;
	snprintf(upload->target, sizeof(upload->target), "%s", target);
	return upload;
}

void web_upload_free(struct web_upload *upload)
{
	if (!upload)
		return;
	if (upload->body)
		explicit_bzero(upload->body, upload->room);
	free(upload->body);
	free(upload);
}

// ---- the head

static const char *field(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool field_keep(
	char to[WEB_UPLOAD_FIELD_MAX + 1], struct MHD_Connection *connection, const char *name)
{
	const char *value = field(connection, name);
	const size_t len = value ? strlen(value) : 0;

	if (len > WEB_UPLOAD_FIELD_MAX)
		return false;
	memcpy(to, value ? value : "", len + 1);
	return true;
}

static void by_keep(struct web_upload *upload, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *at =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr *address = at ? at->client_addr : NULL;
	char text[INET6_ADDRSTRLEN] = "";
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (address && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			sizeof(text));
	else if (address && address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
			sizeof(text));
	else if (fd && !getsockopt(fd->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		snprintf(text, sizeof(text), "uid %ju", (uintmax_t)peer.uid);
	snprintf(upload->by, sizeof(upload->by), "%s", text);
}

// Whether Content-Length says more. MHD has refused what is no number.
static bool is_longer(struct MHD_Connection *connection, size_t body_max)
{
	const char *said = field(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return said && strtoull(said, NULL, 10) > body_max;
}

bool web_upload_has_length(struct MHD_Connection *connection)
{
	return field(connection, MHD_HTTP_HEADER_CONTENT_LENGTH) ||
		field(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *said = field(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return field(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
		(said && strtoull(said, NULL, 10));
}

unsigned web_upload_begin(struct web_upload *upload, struct MHD_Connection *connection,
	const char *method, size_t body_max, const char **why)
{
	static const char *const unknown[] = {MHD_HTTP_HEADER_IF_MATCH,
		MHD_HTTP_HEADER_IF_NONE_MATCH, MHD_HTTP_HEADER_IF_MODIFIED_SINCE,
		MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE, MHD_HTTP_HEADER_CONTENT_RANGE};
	unsigned status = 0;

	upload->connection = connection;
	upload->is_delete = !strcmp(method, MHD_HTTP_METHOD_DELETE);
	if (!upload->is_delete && strcmp(method, MHD_HTTP_METHOD_PUT) != 0) {
		*why = "PUT says what is there, DELETE that nothing is";
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	*why = "the target is too long";
	if (strlen(upload->target) > WEB_TARGET_MAX)
		return MHD_HTTP_URI_TOO_LONG;
	*why = web_resource_read(upload->target, &upload->resource, &status);
	if (*why)
		return status;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		*why = "preconditions and parts are not supported: send all of it, without If-..";
		if (field(connection, unknown[i]))
			return MHD_HTTP_BAD_REQUEST;
	}
	*why = "DELETE has no body";
	if (upload->is_delete && has_body(connection))
		return MHD_HTTP_BAD_REQUEST;
	*why = "the body is larger than push.max_body";
	if (is_longer(connection, body_max))
		return MHD_HTTP_CONTENT_TOO_LARGE;
	*why = "Content-Type or Content-Encoding is too long";
	if (!field_keep(upload->type, connection, MHD_HTTP_HEADER_CONTENT_TYPE) ||
		!field_keep(upload->coding, connection, MHD_HTTP_HEADER_CONTENT_ENCODING))
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	*why = web_max_age_read(
		field(connection, MHD_HTTP_HEADER_CACHE_CONTROL), &upload->max_age_s);
	if (*why)
		return MHD_HTTP_BAD_REQUEST;
	by_keep(upload, connection);
	return 0;
}

// ---- the body

// Bytes that move leave nothing behind.
static bool room_make(struct web_upload *upload, size_t len)
{
	size_t room = upload->room ? upload->room : BODY_FIRST;
	uint8_t *body;

	if (len <= upload->room)
		return true;
	while (room < len)
		room *= 2;
	body = malloc(room);
	if (!body)
		return false;
	if (upload->body) {
		memcpy(body, upload->body, upload->len);
		explicit_bzero(upload->body, upload->room);
	}
	free(upload->body);
	upload->body = body;
	upload->room = room;
	return true;
}

bool web_upload_add(struct web_upload *upload, const void *bytes, size_t len, size_t body_max)
{
	if (upload->too_large || len > body_max - upload->len) {
		// The rest is read, so that the answer is, up to as much again.
		upload->too_large = true;
		upload->len = 0;
		upload->skipped += len;
		return upload->skipped <= body_max;
	}
	if (!room_make(upload, upload->len + len))
		return false;
	memcpy(upload->body + upload->len, bytes, len);
	upload->len += len;
	return true;
}

size_t web_upload_write(unsigned status, const char *says, char *buf, size_t room)
{
	struct web_json json = {.max = room};
	size_t len;

	if (status < MHD_HTTP_BAD_REQUEST)
		return 0;
	web_json_open(&json, NULL, '{');
	web_json_number(&json, "status", status);
	web_json_text(&json, "error", says);
	web_json_close(&json, '}');
	len = json.full ? 0 : json.len;
	memcpy(buf, json.buf ? json.buf : "", len);
	free(json.buf);
	return len;
}
