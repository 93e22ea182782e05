// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/host.h"

#include "gw/http/local.h"
#include "gw/http/timers.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define OLD_MS   60000 // for which the addresses of a name are believed
#define AGAIN_MS 1000  // between look-ups of a name that is not found or leads nowhere
#define LOCAL_MS 100   // between look-ups for which this machine lacks descriptors or memory

void up_host_init(
	struct up_host *host, const struct conf_server *server, struct up_sockets *sockets)
{
	*host = (struct up_host){.server = server, .sockets = sockets};
	if (server->unix_path)
		up_address_of_path(&host->addresses, server->unix_path);
	else
		host->named = !up_address_of_text(&host->addresses, server->host, server->port);
}

// A look-up ended: 0 with these addresses, or -errno.
static void found(struct up_host *host, int rc, const struct up_addresses *addresses, uint64_t now)
{
	bool local = rc && up_errno_is_local(-rc);

	host->heard_ms = now;
	host->old_ms = now + (!rc ? OLD_MS : local ? LOCAL_MS : AGAIN_MS);
	host->failed = rc;
	if (!rc)
		host->addresses = *addresses;
	else if (rc == -ENOENT)
		host->addresses.count = 0;
}

static int look_up(struct up_host *host)
{
	int rc = up_resolve_start(host->server->host, host->server->port, &host->resolve);

	if (!rc)
		rc = up_sockets_want(host->sockets, up_resolve_fd(host->resolve), EPOLLIN);
	if (rc)
		up_host_end(host);
	return rc;
}

enum up_host_state up_host_want(struct up_host *host, uint64_t now_ms)
{
	if (host->named && !host->resolve && now_ms >= host->old_ms) {
		int rc = look_up(host);

		if (rc)
			found(host, rc, NULL, now_ms);
	}
	if (host->addresses.count)
		return UP_HOST_KNOWN;
	return host->resolve ? UP_HOST_ASKED : UP_HOST_UNKNOWN;
}

bool up_host_ready(struct up_host *host, int fd, uint64_t now_ms)
{
	struct up_addresses addresses;

	if (!host->resolve || up_resolve_fd(host->resolve) != fd)
		return false;
	int rc = up_resolve_take(host->resolve, &addresses);
	up_host_end(host);
	found(host, rc, &addresses, now_ms);
	return true;
}

enum up_error up_host_error(const struct up_host *host, int *local_errno)
{
	bool local = host->failed && up_errno_is_local(-host->failed);

	*local_errno = local ? -host->failed : 0;
	return local ? UP_ERR_local : UP_ERR_dns;
}

bool up_host_has(const struct up_host *host, const struct up_address *address)
{
	for (unsigned i = 0; i < host->addresses.count; i++) {
		const struct up_address *known = &host->addresses.address[i];

		if (known->len == address->len &&
			!memcmp(&known->storage, &address->storage, address->len))
			return true;
	}
	return false;
}

void up_host_doubt(struct up_host *host)
{
	host->old_ms = up_earlier(host->old_ms, host->heard_ms + AGAIN_MS);
}

void up_host_end(struct up_host *host)
{
	if (!host->resolve)
		return;
	if (up_sockets_want(host->sockets, up_resolve_fd(host->resolve), 0)) {
		// Waiting for nothing cannot fail.
	}
	up_resolve_end(host->resolve);
	host->resolve = NULL;
}
