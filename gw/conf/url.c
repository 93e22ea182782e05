// SPDX-License-Identifier: BSD-3-Clause
// The URLs of servers (RFC 3986): http://HOST[:PORT][/BASE], the same with https, h2c (HTTP/2
// without TLS) and h2 (HTTP/2 with TLS), and http+unix:/PATH/OF/SOCKET or h2c+unix:.

#include "gw/conf/url.h"

#include "gw/conf/mistakes.h"
#include "gw/conf/path.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define HOST_MAX  253 // bytes, RFC 1035 section 2.3.4 as text
#define LABEL_MAX 63

static const struct url_form {
	const char *start;
	const char *origin; // how the URLs of requests begin
	enum conf_scheme scheme;
	bool http2;
	bool unix_socket;
	uint16_t port;
} forms[] = {
	{"http://", "http://", CONF_HTTP, false, false, 80},
	{"https://", "https://", CONF_HTTPS, false, false, 443},
	{"h2c://", "http://", CONF_HTTP, true, false, 80},
	{"h2://", "https://", CONF_HTTPS, true, false, 443},
	{"http+unix:", "http://localhost", CONF_HTTP, false, true, 0},
	{"h2c+unix:", "http://localhost", CONF_HTTP, true, true, 0},
};

// Whether it is a host name: labels of letters, digits and inner hyphens, and the underscores that
// containers have in their names.
static bool name_valid(const char *text)
{
	size_t label = 0;

	if (strlen(text) > HOST_MAX)
		return false;
	for (const char *p = text;; p++) {
		if (*p == '.' || *p == 0) {
			if (label == 0 || label > LABEL_MAX || p[-1] == '-')
				return false;
			if (*p == 0)
				return true;
			label = 0;
		} else if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || *p == '_' || (*p == '-' && label)) {
			label++;
		} else {
			return false;
		}
	}
}

bool conf_host_valid(const char *text)
{
	struct in6_addr address;

	if (strchr(text, ':'))
		return inet_pton(AF_INET6, text, &address) == 1;
	// If the last label is a number, only a whole IPv4 address is allowed: resolvers read 10.1
	// as 10.0.0.1.
	const char *last = strrchr(text, '.');
	last = last ? last + 1 : text;
	if (*last && strspn(last, "0123456789") == strlen(last))
		return inet_pton(AF_INET, text, &address) == 1;
	return name_valid(text);
}

// Splits HOST[:PORT]; an IPv6 address is in brackets. host has HOST_MAX + 1 bytes. *port is set
// only if there is a port.
static bool authority_split(const char *text, char *host, uint16_t *port)
{
	bool bracket = *text == '[';
	size_t len = bracket ? strcspn(++text, "]") : strcspn(text, ":");

	if (len == 0 || len > HOST_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = 0;
	text += len;
	if (bracket && *text++ != ']')
		return false;
	if (bracket != (strchr(host, ':') != NULL) || !conf_host_valid(host))
		return false;
	if (*text == 0)
		return true;

	size_t digits = strspn(text + 1, "0123456789");
	if (*text != ':' || digits < 1 || digits > 5 || text[1] == '0' || text[1 + digits])
		return false;
	unsigned long number = strtoul(text + 1, NULL, 10);
	*port = number;
	return number <= 65535;
}

bool conf_authority_valid(const char *text)
{
	char host[HOST_MAX + 1];
	uint16_t port;

	return authority_split(text, host, &port);
}

static char *authority_make(const char *host, uint16_t port, uint16_t usual)
{
	char *authority = NULL;
	bool v6 = strchr(host, ':');
	char suffix[8] = "";

	if (port != usual)
		snprintf(suffix, sizeof(suffix), ":%u", port);
	if (asprintf(&authority, "%s%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "", suffix) < 0)
		return NULL;
	return authority;
}

static enum conf_verdict unix_parse(const struct url_form *form, const char *text,
	struct conf_server *server, char why[CONF_WHY_MAX])
{
	const char *path = text + strlen(form->start);
	const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path);
	char quoted[CONF_QUOTE_MAX];

	if (path[0] != '/' || path[1] == '/' || path[1] == 0 || strlen(path) >= room)
		return conf_why(why,
			"must have the path of a socket behind %s, with one slash in front and "
			"at most %zu bytes, not \"%s\"",
			form->start, room - 1, conf_quote(quoted, path));
	server->host = strdup("localhost");
	server->authority = strdup("localhost");
	server->origin = strdup(form->origin);
	server->base = strdup("");
	server->unix_path = strdup(path);
	return server->host && server->authority && server->origin && server->base &&
			server->unix_path
		? CONF_OK
		: CONF_NO_MEMORY;
}

static enum conf_verdict http_parse(const struct url_form *form, const char *text,
	struct conf_server *server, char why[CONF_WHY_MAX])
{
	const char *start = text + strlen(form->start);
	size_t len = strcspn(start, "/?#");
	char authority[HOST_MAX + 16], host[HOST_MAX + 1], quoted[CONF_QUOTE_MAX];

	// A name and password would be shown by everything that shows the URL.
	if (memchr(start, '@', len))
		return conf_why(why, "must not have a user name or password in it");
	if (strpbrk(start, "?#"))
		return conf_why(why, "must not have a query or fragment");
	server->port = form->port;
	if (len < sizeof(authority)) {
		memcpy(authority, start, len);
		authority[len] = 0;
	}
	if (len >= sizeof(authority) || !authority_split(authority, host, &server->port))
		return conf_why(
			why, "has no valid host and port: \"%s\"", conf_quote(quoted, text));
	server->host = strdup(host);
	server->authority = authority_make(host, server->port, form->port);
	if (!server->host || !server->authority)
		return CONF_NO_MEMORY;
	if (asprintf(&server->origin, "%s%s", form->origin, server->authority) < 0) {
		server->origin = NULL;
		return CONF_NO_MEMORY;
	}
	return conf_base_parse(start + len, &server->base, why);
}

enum conf_verdict conf_url_parse(
	const char *text, struct conf_server *server, char why[CONF_WHY_MAX])
{
	struct conf_server got = {.line = server->line, .weight = server->weight};
	unsigned f = 0, known = sizeof(forms) / sizeof(forms[0]);
	char quoted[CONF_QUOTE_MAX];
	enum conf_verdict verdict;

	while (f < known && strncmp(text, forms[f].start, strlen(forms[f].start)))
		f++;
	if (f == known)
		return conf_why(why,
			"must be http://, https://, h2c:// or h2:// with HOST:PORT, or "
			"http+unix:/PATH or h2c+unix:/PATH, not \"%s\"",
			conf_quote(quoted, text));
	got.scheme = forms[f].scheme;
	got.http2 = forms[f].http2;
	verdict = forms[f].unix_socket ? unix_parse(&forms[f], text, &got, why)
				       : http_parse(&forms[f], text, &got, why);
	if (verdict == CONF_OK) {
		got.text = strdup(text);
		verdict = got.text ? CONF_OK : CONF_NO_MEMORY;
	}
	if (verdict == CONF_OK)
		*server = got;
	else
		conf_url_free(&got);
	return verdict;
}

void conf_url_free(struct conf_server *server)
{
	free(server->text);
	free(server->name);
	free(server->host);
	free(server->authority);
	free(server->origin);
	free(server->base);
	free(server->unix_path);
}
