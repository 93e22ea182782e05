// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define PORT_DIGITS 5

static bool port_parse(const char *text, in_port_t *port)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > PORT_DIGITS || text[digits] || text[0] == '0')
		return false;
	unsigned long number = strtoul(text, NULL, 10);

	*port = htons((uint16_t)number);
	return number <= UINT16_MAX;
}

static bool unix_parse(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_un *to = (struct sockaddr_un *)address;
	const size_t bytes = strlen(text);

	if (bytes < 2 || bytes >= sizeof(to->sun_path))
		return false;
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(to->sun_path, text, bytes);
	*len = sizeof(*to);
	return true;
}

bool conf_listen_is_local(const char *text)
{
	struct sockaddr_storage at = {0};
	socklen_t len = 0;

	if (!conf_listen_parse(text, &at, &len) || !len)
		return false;
	if (at.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24 ==
			IN_LOOPBACKNET;
	return at.ss_family == AF_UNIX ||
		IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&at)->sin6_addr);
}

bool conf_listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len)
{
	const char *colon = strrchr(text, ':');
	const bool brackets = text[0] == '[';
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	in_port_t port;

	if (!strcmp(text, CONF_LISTEN_OFF)) {
		*len = 0;
		return true;
	}
	if (text[0] == '/')
		return unix_parse(text, address, len);
	if (!colon || !port_parse(colon + 1, &port))
		return false;
	if (brackets && (colon == text + 1 || colon[-1] != ']'))
		return false;
	const size_t bytes = (size_t)(colon - text) - (brackets ? 2 : 0);

	if (bytes >= sizeof(host))
		return false;
	memcpy(host, text + brackets, bytes);
	host[bytes] = 0;
	if (brackets) {
		v6.sin6_port = port;
		// A link-local address needs an interface, which has no place here.
		if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1 ||
			IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
			return false;
		memcpy(address, &v6, sizeof(v6));
		*len = sizeof(v6);
		return true;
	}
	v4.sin_port = port;
	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
		return false;
	memcpy(address, &v4, sizeof(v4));
	*len = sizeof(v4);
	return true;
}
