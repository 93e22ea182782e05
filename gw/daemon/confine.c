// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/confine.h"

#include "gw/http/resolve.h"
#include "gw/os/every_thread.h"
#include "gw/os/filter.h"
#include "gw/os/log.h"
#include "gw/os/name_services.h"
#include "gw/os/privileges.h"

#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The first path found that is out of reach without capabilities.
struct reach {
	bool lost;
	char path[PATH_MAX];
};

static void look(struct reach *reach, const char *path, int mode)
{
	if (reach->lost || !path || privileges_reach(path, mode) || access(path, F_OK))
		return;
	reach->lost = true;
	snprintf(reach->path, sizeof(reach->path), "%s", path);
}

static void look_parent(struct reach *reach, const char *path)
{
	char *copy = path ? strdup(path) : NULL;

	if (copy)
		look(reach, dirname(copy), W_OK | X_OK);
	free(copy);
}

// A directory of ours, and the files in it.
static void look_directory(struct reach *reach, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	look(reach, path, R_OK | W_OK | X_OK);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char file[PATH_MAX];

		if (entry->d_type != DT_REG)
			continue;
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
			look(reach, file, R_OK | W_OK);
	}
	closedir(dir);
}

static void look_headers(struct reach *reach, const struct conf_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (headers[i].kind == CONF_HEADER_FILE)
			look(reach, headers[i].value, R_OK);
}

// Looks at all that the daemon uses after its start, or reads at a reload.
static void look_all(struct reach *reach, const struct conf *conf)
{
	look(reach, conf->path, R_OK);
	look_directory(reach, conf->devices.store);
	look_directory(reach, conf->runtime);
	look_parent(reach, conf->control.socket);
	if (conf->log.access) {
		look(reach, conf->log.access, R_OK | W_OK);
		look_parent(reach, conf->log.access);
	}
	for (size_t i = 0; i < conf->upstream_count; i++) {
		const struct conf_upstream *upstream = &conf->upstreams[i];

		look(reach, upstream->tls.ca, R_OK);
		look(reach, upstream->tls.cert, R_OK);
		look(reach, upstream->tls.key, R_OK);
		look_headers(reach, upstream->headers, upstream->header_count);
		for (size_t j = 0; j < upstream->server_count; j++)
			look(reach, upstream->servers[j].unix_path, R_OK | W_OK);
	}
	for (size_t i = 0; i < conf->route_count; i++)
		look_headers(reach, conf->routes[i].headers, conf->routes[i].header_count);
}

static int drop(struct daemon *daemon)
{
	struct reach reach = {0};
	struct error error = {0};

	if (privileges_now())
		look_all(&reach, daemon->conf);
	int rc = privileges_drop(reach.lost, &error);

	if (rc) {
		log_error("capabilities cannot be given up: %s", error.text);
		return rc;
	}
	if (reach.lost)
		log_warning("keeps CAP_DAC_OVERRIDE: %s belongs to another user", reach.path);
	else if (!geteuid())
		log_notice(
			"runs as root without capabilities; packaging/postern.service runs it as a "
			"user of its own");
	return 0;
}

int confine(struct daemon *daemon)
{
	struct error error = {0};
	int rc = http_resolve_open();

	if (!rc)
		rc = every_thread_open(filter_trap);
	if (rc) {
		log_error("threads for names, or SIGSYS: %s", strerror(-rc));
		return rc;
	}
	// Modules are loaded while memory may still become executable.
	name_services_load();
	rc = drop(daemon);
	if (rc)
		return rc;
	rc = filter_load(daemon->conf->seccomp, &error);
	if (rc)
		log_error("system calls cannot be filtered: %s ('seccomp: off' starts without)",
			error.text);
	else if (daemon->conf->seccomp != CONF_SECCOMP_ENFORCE)
		log_warning("seccomp is %s: no system call ends the daemon",
			daemon->conf->seccomp == CONF_SECCOMP_LOG ? "log" : "off");
	return rc;
}
