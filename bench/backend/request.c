// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/request.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

// Length of the head with its empty line. 0: it is not there yet; -400: a line ends without CR.
static ssize_t head_end(const char *buf, size_t len)
{
	const char *line = buf, *end = buf + len, *lf;

	while ((lf = memchr(line, '\n', (size_t)(end - line)))) {
		if (lf == line || lf[-1] != '\r')
			return -400;
		if (lf - line == 1)
			return lf + 1 - buf;
		line = lf + 1;
	}
	return len > BE_HEAD_MAX ? -431 : 0;
}

// Whether it is a token (RFC 9110 section 5.6.2).
static bool is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

// Whether a list of tokens has this one, in any case of letters.
static bool list_has(const char *list, const char *token)
{
	size_t len = strlen(token);

	while (*list) {
		list += strspn(list, " \t,");
		size_t n = strcspn(list, " \t,");
		if (n == len && !strncasecmp(list, token, len))
			return true;
		list += n;
	}
	return false;
}

// Splits "METHOD TARGET HTTP/1.x". Returns 0 or minus a status; *minor is x.
static int request_line(struct be_request *r, char *line, int *minor)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version)
		return -400;
	*target++ = *version++ = 0;
	r->method = line;
	r->target = target;
	if (!is_token(r->method) || !*target)
		return -400;
	for (; *target; target++)
		if (*target <= ' ' || *target > '~')
			return -400;
	if (strncmp(version, "HTTP/", 5))
		return -400;
	if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0"))
		return -505;
	*minor = version[7] - '0';
	return 0;
}

static int header_line(struct be_request *r, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon)
		return -400;
	*colon++ = 0;
	if (!is_token(line)) // so neither a fold nor a blank before the colon
		return -400;
	colon += strspn(colon, " \t");
	size_t len = strlen(colon);
	while (len && strchr(" \t", colon[len - 1]))
		len--;
	colon[len] = 0;
	for (const unsigned char *p = (unsigned char *)colon; *p; p++)
		if ((*p < ' ' && *p != '\t') || *p == 0x7f)
			return -400;
	if (r->headers == BE_HEADERS_MAX)
		return -431;
	r->header[r->headers++] = (struct be_header){line, colon};
	return 0;
}

// The number of a Content-Length, and nothing else.
static bool length_parse(const char *text, uint64_t *length)
{
	*length = 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || *length > (UINT64_MAX >> 1) / 10 - 1)
			return false;
		*length = *length * 10 + (uint64_t)(*p - '0');
	}
	return *text;
}

// What the headers say about the message. Returns 0 or minus a status.
static int framing(struct be_request *r, int minor)
{
	unsigned hosts = 0, lengths = 0;

	r->keep_alive = minor == 1;
	for (size_t i = 0; i < r->headers; i++) {
		const char *name = r->header[i].name, *value = r->header[i].value;

		if (!strcasecmp(name, "Host")) {
			hosts++;
		} else if (!strcasecmp(name, "Content-Length")) {
			if (lengths++ || !length_parse(value, &r->length))
				return -400;
		} else if (!strcasecmp(name, "Transfer-Encoding")) {
			if (r->chunked || minor == 0)
				return -400;
			if (strcasecmp(value, "chunked"))
				return -501;
			r->chunked = true;
		} else if (!strcasecmp(name, "Expect")) {
			if (strcasecmp(value, "100-continue"))
				return -417;
			r->expect_continue = minor == 1;
		}
	}
	if ((r->chunked && lengths) || hosts > 1 || (hosts == 0 && minor == 1))
		return -400;
	for (size_t i = 0; i < r->headers; i++) {
		if (strcasecmp(r->header[i].name, "Connection"))
			continue;
		if (list_has(r->header[i].value, "close")) {
			r->keep_alive = false;
			break;
		}
		r->keep_alive |= list_has(r->header[i].value, "keep-alive");
	}
	return 0;
}

ssize_t be_request_parse(struct be_request *r, char *buf, size_t len)
{
	ssize_t end = head_end(buf, len);
	int minor = 0, rc;

	if (end <= 0)
		return end;
	if (end == 2)
		return -400; // no line at all
	if (end > BE_HEAD_MAX)
		return -431;
	r->headers = 0;
	r->length = 0;
	r->chunked = r->expect_continue = false;
	// head_end() has seen that every line ends with CR LF, the last one being empty.
	for (char *line = buf; line < buf + end - 2;) {
		char *lf = memchr(line, '\n', (size_t)(buf + end - line));

		lf[-1] = 0;
		if (strlen(line) != (size_t)(lf - 1 - line) || strchr(line, '\r'))
			return -400; // a NUL or a CR in it
		rc = line == buf ? request_line(r, line, &minor) : header_line(r, line);
		if (rc)
			return rc;
		line = lf + 1;
	}
	rc = framing(r, minor);
	return rc ? rc : end;
}

const char *be_request_header(const struct be_request *r, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < r->headers; i++) {
		if (strcasecmp(r->header[i].name, name))
			continue;
		if (value)
			return NULL;
		value = r->header[i].value;
	}
	return value;
}
