// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/descriptors.h"

#include "gw/ctl/server.h"
#include "gw/web/server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

// Main: log, signals, epoll; EAL's own; the store with journal, lock, import, backup and check; the
// access log while it follows a rotated file; TLS files while they are read.
#define FIXED        64
#define PER_PORT     16 // kernel TAP, control sockets, interrupts, VFIO group and device
#define PER_QUEUE    6  // TAP, AF_PACKET, AF_XDP with its maps, memif's regions
#define PER_WORKER   2  // doorbell
#define PER_LOOP     4  // epoll, doorbell
#define PER_CONTROL  8  // listener, epoll, timer, and the descriptors of a message
#define PER_WEB      6  // listener, epoll, timer, eventfds; of metrics, and of pushes
#define PER_CLIENT   2  // a client, and the file that it imports
#define PER_ADDRESS  2  // a connection, and the one that takes its place while it closes
#define PER_NAME     4  // the same, with a resolver at work
#define OPEN_UNKNOWN 16 // if /proc does not tell

static bool is_name(const struct conf_server *server)
{
	uint8_t addr[16];

	return !server->unix_path && inet_pton(AF_INET, server->host, addr) != 1 &&
		inet_pton(AF_INET6, server->host, addr) != 1;
}

static uint64_t upstream_needs(const struct conf_upstream *upstream, unsigned loops)
{
	// Each loop rounds its share up.
	uint64_t connections = (uint64_t)upstream->max_connections + loops - 1;
	bool names = false;

	if (upstream->check.path)
		connections += upstream->server_count;
	for (size_t i = 0; i < upstream->server_count; i++)
		names |= is_name(&upstream->servers[i]);
	return connections * (names ? PER_NAME : PER_ADDRESS);
}

uint64_t descriptors_needed(const struct conf *conf, size_t huge_pages)
{
	uint64_t sum = FIXED + huge_pages;

	sum += conf->port_count * (PER_PORT + conf->workers.core_count * PER_QUEUE);
	sum += conf->workers.core_count * PER_WORKER;
	sum += conf->workers.loops * PER_LOOP;
	sum += PER_CONTROL + CTL_CLIENTS_MAX * PER_CLIENT;
	sum += 2 * (PER_WEB + WEB_CONNECTIONS_MAX);
	for (size_t i = 0; i < conf->upstream_count; i++)
		sum += upstream_needs(&conf->upstreams[i], conf->workers.loops);
	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].observe.stream.line)
			sum += conf->routes[i].observe.stream.max * (uint64_t)PER_NAME;
	return sum;
}

static uint64_t open_now(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t count = 0;

	if (!dir)
		return OPEN_UNKNOWN;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static int too_few(uint64_t needed, const struct rlimit *limit, struct error *error)
{
	return error_set(error, -EMFILE,
		"this configuration needs %lu file descriptors and the limit is %lu: raise it "
		"(LimitNOFILE= of the unit, ulimit -n), or lower max_connections of the upstreams",
		needed, (unsigned long)limit->rlim_max);
}

static int limit_read(struct rlimit *limit, struct error *error)
{
	if (!getrlimit(RLIMIT_NOFILE, limit))
		return 0;
	int rc = -errno;

	return error_set(error, rc, "file descriptors: %s", strerror(-rc));
}

int descriptors_raise(uint64_t more, struct error *error)
{
	uint64_t needed = open_now() + more;
	struct rlimit limit;
	int rc = limit_read(&limit, error);

	if (rc)
		return rc;
	// As high as it may be: a reload may need more, when it can be raised no more.
	const struct rlimit raised = {
		.rlim_cur = limit.rlim_max < needed ? needed : limit.rlim_max,
		.rlim_max = limit.rlim_max < needed ? needed : limit.rlim_max,
	};

	if (!setrlimit(RLIMIT_NOFILE, &raised) || limit.rlim_cur >= needed)
		return 0;
	return too_few(needed, &limit, error);
}

int descriptors_check(uint64_t more, struct error *error)
{
	uint64_t needed = open_now() + more;
	struct rlimit limit;
	int rc = limit_read(&limit, error);

	if (rc)
		return rc;
	return limit.rlim_cur >= needed ? 0 : too_few(needed, &limit, error);
}
