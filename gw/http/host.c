// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/host.h"

#include "base/clock.h"
#include "gw/http/timers.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

#define OLD_MS   60000 // for which the addresses of a name are believed
#define AGAIN_MS 1000  // between look-ups of a name that is not found or leads nowhere
#define LOCAL_MS 100   // between look-ups for which this machine lacks descriptors or memory

// A look-up ended: 0 with these addresses, or -errno.
static void found(
	struct http_host *host, int rc, const struct http_addresses *addresses, uint64_t now)
{
	bool local = rc && http_errno_is_local(-rc);

	host->heard_ms = now;
	host->old_ms = now + (!rc ? OLD_MS : local ? LOCAL_MS : AGAIN_MS);
	host->failed = rc;
	if (!rc)
		host->addresses = *addresses;
	else if (rc == -ENOENT)
		host->addresses.count = 0;
}

_Static_assert(offsetof(struct http_host, watch) == 0, "a watch is cast to its host");

void http_host_hear(struct http_host *host, uint64_t now_ms)
{
	struct http_addresses addresses;
	int rc = http_resolve_take(host->resolve, &addresses);

	http_host_end(host);
	found(host, rc, &addresses, now_ms);
	host->heard(host);
}

static void host_ready(struct http_watch *watch, uint32_t events)
{
	http_host_hear((struct http_host *)watch, clock_ms());
}

void http_host_init(
	struct http_host *host, const struct conf_server *server, struct http_sockets *sockets)
{
	*host = (struct http_host){.watch.ready = host_ready, .server = server, .sockets = sockets};
	if (server->unix_path)
		http_address_of_path(&host->addresses, server->unix_path);
	else
		host->named = !http_address_of_text(&host->addresses, server->host, server->port);
}

static int look_up(struct http_host *host)
{
	int rc = http_resolve_start(host->server->host, host->server->port, &host->resolve);

	if (!rc)
		rc = http_sockets_watch(
			host->sockets, http_resolve_fd(host->resolve), &host->watch, EPOLLIN);
	if (rc)
		http_host_end(host);
	return rc;
}

enum http_host_state http_host_want(struct http_host *host, uint64_t now_ms)
{
	if (host->named && !host->resolve && now_ms >= host->old_ms) {
		int rc = look_up(host);

		if (rc)
			found(host, rc, NULL, now_ms);
	}
	if (host->addresses.count)
		return HTTP_HOST_KNOWN;
	return host->resolve ? HTTP_HOST_ASKED : HTTP_HOST_UNKNOWN;
}

enum http_error http_host_error(const struct http_host *host, int *local_errno)
{
	bool local = host->failed && http_errno_is_local(-host->failed);

	*local_errno = local ? -host->failed : 0;
	return local ? HTTP_ERR_local : HTTP_ERR_dns;
}

bool http_host_has(const struct http_host *host, const struct http_address *address)
{
	for (unsigned i = 0; i < host->addresses.count; i++) {
		const struct http_address *known = &host->addresses.address[i];

		if (known->len == address->len &&
			!memcmp(&known->storage, &address->storage, address->len))
			return true;
	}
	return false;
}

void http_host_doubt(struct http_host *host)
{
	host->old_ms = http_earlier(host->old_ms, host->heard_ms + AGAIN_MS);
}

void http_host_end(struct http_host *host)
{
	if (!host->resolve)
		return;
	http_sockets_unwatch(host->sockets, http_resolve_fd(host->resolve));
	http_resolve_end(host->resolve);
	host->resolve = NULL;
}
