// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/header_lines.h"

#include "base/secret_file.h"
#include "gw/conf/headers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

// Reads up to `room` bytes. Returns how many were read, or -errno.
static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, buf + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

// Reads the value of a header to buf, without the line end behind it. Returns its length or -errno.
static ssize_t value_read(
	const struct conf_header *header, char *buf, size_t room, struct error *error)
{
	const char *path = header->value;
	int fd = secret_file_open(path, "header value", error);

	if (fd < 0)
		return fd;
	ssize_t len = read_all(fd, buf, room);
	close(fd);
	if (len < 0)
		return error_set(error, (int)len, "header value %s: %s", path, strerror((int)-len));
	if (len && buf[len - 1] == '\n')
		len -= len > 1 && buf[len - 2] == '\r' ? 2 : 1;
	if (len > CONF_HEADER_VALUE_MAX)
		return error_set(error, -E2BIG, "header value %s: more than %d bytes", path,
			CONF_HEADER_VALUE_MAX);
	if (!conf_header_value_valid(buf, (size_t)len))
		return error_set(error, -EBADMSG,
			"header value %s: must be one line of visible ASCII characters, with "
			"blanks only between them",
			path);
	return len;
}

// Writes the value of a header to buf. Returns its length or -errno.
static ssize_t value_write(
	const struct conf_header *header, char *buf, size_t room, struct error *error)
{
	if (header->kind == CONF_HEADER_FILE)
		return value_read(header, buf, room, error);
	size_t len = strlen(header->value); // conf_load() has checked it
	memcpy(buf, header->value, len);
	return (ssize_t)len;
}

// Adds a line. `at` is what is used of the room. Returns 0 or -errno.
static int line_add(struct header_lines *lines, size_t *at, const struct conf_header *header,
	struct error *error)
{
	// A value that is too long by its line end alone is noticed.
	char value[CONF_HEADER_VALUE_MAX + 3];
	size_t name_len = strlen(header->name);
	struct error why = {0};
	ssize_t len = value_write(header, value, sizeof(value), &why);
	int rc = 0;

	if (len < 0) {
		rc = error_set(error, (int)len, "headers.%s: %s", header->name, why.text);
	} else if (name_len + 2 + (size_t)len + 2 > sizeof(lines->room) - *at) {
		rc = error_set(error, -E2BIG,
			"headers.%s: there are more than %zu bytes of headers", header->name,
			sizeof(lines->room));
	} else {
		char *text = lines->room + *at;
		char *end = mempcpy(text, header->name, name_len);

		end = mempcpy(end, ": ", 2);
		end = mempcpy(end, value, (size_t)len);
		*end = 0;
		lines->line[lines->count++] = (struct header_line){
			.text = text,
			.name_len = (uint16_t)name_len,
			.len = (uint16_t)(end - text),
		};
		*at += (size_t)(end - text) + 2; // as much as with its CR LF
	}
	explicit_bzero(value, sizeof(value));
	return rc;
}

static bool is_among(const char *name, const struct conf_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcasecmp(headers[i].name, name))
			return true;
	return false;
}

int header_lines_read(const struct conf_header *own, size_t own_count,
	const struct conf_header *others, size_t other_count, struct header_lines **out,
	const struct conf_header **wrong, struct error *error)
{
	struct header_lines *lines;
	size_t at = 0;
	int rc = 0;

	*out = NULL;
	*wrong = NULL;
	if (!own_count && !other_count)
		return 0;
	lines = calloc(1, sizeof(*lines));
	if (!lines) {
		*wrong = own_count ? own : others;
		return error_set(error, -ENOMEM, "headers: %s", strerror(ENOMEM));
	}
	for (size_t i = 0; !rc && i < own_count + other_count; i++) {
		*wrong = i < own_count ? &own[i] : &others[i - own_count];
		if (i < own_count || !is_among((*wrong)->name, own, own_count))
			rc = line_add(lines, &at, *wrong, error);
	}
	if (rc) {
		header_lines_free(lines);
		return rc;
	}
	*wrong = NULL;
	*out = lines;
	return 0;
}

void header_lines_free(struct header_lines *lines)
{
	if (!lines)
		return;
	explicit_bzero(lines, sizeof(*lines));
	free(lines);
}
