// SPDX-License-Identifier: BSD-3-Clause
// Checks what a configuration names: files, directories and groups that the daemon uses.

#include "base/secret_file.h"
#include "gw/conf/marks.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct looker {
	const struct conf *conf;
	struct conf_mistakes *mistakes;
	bool no_memory;
};

__attribute__((format(printf, 4, 5))) static void complain(
	struct looker *l, const void *field, const char *key, const char *format, ...)
{
	char text[CONF_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_mistake(l->mistakes, conf_mark_of(l->conf, field), "%s: %s", key, text);
}

// Checks a file that is only read.
static void file_look(struct looker *l, const void *field, const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		complain(l, field, key, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		complain(l, field, key, "%s: is not a file", path);
	else if (access(path, R_OK))
		complain(l, field, key, "%s: cannot be read: %s", path, strerror(errno));
}

// Whether two paths are equal but for slashes at their ends.
static bool same_path(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	while (a_len > 1 && a[a_len - 1] == '/')
		a_len--;
	while (b_len > 1 && b[b_len - 1] == '/')
		b_len--;
	return a_len == b_len && !memcmp(a, b, a_len);
}

// Checks that there is a directory to make a file in. If the file is made late, the directory may
// also be one of the two that the daemon makes itself.
static void parent_look(
	struct looker *l, const void *field, const char *key, const char *path, bool late)
{
	char *copy = strdup(path);
	struct stat st;

	if (!copy) {
		l->no_memory = true;
		return;
	}
	const char *parent = dirname(copy);
	bool made = late &&
		(same_path(parent, l->conf->runtime) || same_path(parent, l->conf->devices.store));

	if (stat(parent, &st)) {
		if (!made)
			complain(l, field, key, "directory %s: %s", parent, strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		complain(l, field, key, "%s: is not a directory", parent);
	} else if (access(path, F_OK) && access(parent, W_OK)) {
		complain(l, field, key, "directory %s: nothing can be made in it: %s", parent,
			strerror(errno));
	}
	free(copy);
}

// Checks a directory that the daemon uses, and makes if it does not exist.
static void directory_look(struct looker *l, const void *field, const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT)
			parent_look(l, field, key, path, false);
		else
			complain(l, field, key, "%s: %s", path, strerror(errno));
	} else if (!S_ISDIR(st.st_mode)) {
		complain(l, field, key, "%s: is not a directory", path);
	} else if (access(path, W_OK)) {
		complain(l, field, key, "%s: cannot be written: %s", path, strerror(errno));
	}
}

static void headers_look(
	struct looker *l, const char *owner, const struct conf_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char key[256];

		snprintf(key, sizeof(key), "%s.headers.%s.file", owner, headers[i].name);
		if (headers[i].kind == CONF_HEADER_FILE)
			file_look(l, &headers[i].value, key, headers[i].value);
	}
}

static void upstream_look(struct looker *l, const struct conf_upstream *upstream)
{
	const struct {
		const char *name;
		char *const *path;
	} files[] = {
		{"ca", &upstream->tls.ca},
		{"cert", &upstream->tls.cert},
		{"key", &upstream->tls.key},
	};
	char owner[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char key[128];

		snprintf(key, sizeof(key), "upstreams.%s.tls.%s", upstream->name, files[i].name);
		if (*files[i].path)
			file_look(l, files[i].path, key, *files[i].path);
	}
	snprintf(owner, sizeof(owner), "upstreams.%s", upstream->name);
	headers_look(l, owner, upstream->headers, upstream->header_count);
}

static void control_look(struct looker *l)
{
	const struct conf *conf = l->conf;
	const struct conf_control *control = &conf->control;
	struct stat st;

	if (control->group && !getgrnam(control->group))
		complain(l, &control->group, "control.group", "there is no group %s",
			control->group);
	if (lstat(control->socket, &st))
		parent_look(l, &control->socket, "control.socket", control->socket, true);
	else if (!S_ISSOCK(st.st_mode))
		complain(l, &control->socket, "control.socket", "%s: is there and is no socket",
			control->socket);
}

// A listener that is a UNIX socket.
static void listen_look(struct looker *l, char *const *listen, const char *key)
{
	struct stat st;

	if ((*listen)[0] != '/')
		return;
	if (lstat(*listen, &st))
		parent_look(l, listen, key, *listen, true);
	else if (!S_ISSOCK(st.st_mode))
		complain(l, listen, key, "%s: is there and is no socket", *listen);
}

static void token_look(struct looker *l)
{
	const struct conf_push *push = &l->conf->push;

	if (push->token)
		file_look(l, &push->token, "push.token", push->token);
}

static void access_look(struct looker *l)
{
	const struct conf_log *log = &l->conf->log;
	struct stat st;

	if (!log->access || !strcmp(log->access, CONF_ACCESS_STDERR))
		return;
	if (stat(log->access, &st))
		parent_look(l, &log->access, "log.access", log->access, true);
	else if (S_ISDIR(st.st_mode))
		complain(l, &log->access, "log.access", "%s: is a directory", log->access);
	else if (access(log->access, W_OK))
		complain(l, &log->access, "log.access", "%s: cannot be written: %s", log->access,
			strerror(errno));
}

// A file, or a credential of the unit, which only a process of the unit sees.
static void identity_look(struct looker *l, char *const *identity, size_t i)
{
	const size_t len = strlen(CONF_CREDENTIAL);
	const char *path = *identity;
	char key[64], credential[SECRET_PATH_MAX];
	struct error error;

	snprintf(key, sizeof(key), "edhoc.identity[%zu]", i);
	if (!strncmp(path, CONF_CREDENTIAL, len)) {
		const int rc = secret_credential_path(path + len, credential, &error);

		if (rc == -ENOENT)
			return;
		if (rc) {
			complain(l, identity, key, "%s: %s", path, error.text);
			return;
		}
		path = credential;
	}
	file_look(l, identity, key, path);
}

static void edhoc_look(struct looker *l)
{
	const struct conf_edhoc *edhoc = &l->conf->edhoc;

	for (size_t i = 0; i < edhoc->identity_count; i++)
		identity_look(l, &edhoc->identity[i], i);
	if (edhoc->revoked)
		file_look(l, &edhoc->revoked, "edhoc.revoked", edhoc->revoked);
	for (size_t i = 0; i < edhoc->trust_count; i++) {
		char key[64];

		snprintf(key, sizeof(key), "edhoc.trust[%zu].ca", i);
		file_look(l, &edhoc->trust[i].ca, key, edhoc->trust[i].ca);
	}
}

// All files that are only read.
static void files_look(struct looker *l)
{
	const struct conf *conf = l->conf;

	for (size_t i = 0; i < conf->upstream_count; i++)
		upstream_look(l, &conf->upstreams[i]);
	for (size_t i = 0; i < conf->route_count; i++) {
		char owner[32];

		snprintf(owner, sizeof(owner), "routes[%zu]", i);
		headers_look(l, owner, conf->routes[i].headers, conf->routes[i].header_count);
	}
	if (conf->devices.kek)
		file_look(l, &conf->devices.kek, "devices.kek", conf->devices.kek);
	edhoc_look(l);
	token_look(l);
}

// Prints the mistakes and frees them. Returns what the check returns.
static int look_end(struct looker *l, FILE *errors)
{
	int rc = l->no_memory ? -ENOMEM : l->mistakes->count ? -EINVAL : 0;

	conf_mistakes_print(l->mistakes, l->conf->path, errors);
	free(l->mistakes);
	return rc;
}

int conf_check_reads(const struct conf *conf, FILE *errors)
{
	struct looker l = {.conf = conf, .mistakes = calloc(1, sizeof(*l.mistakes))};

	if (!l.mistakes)
		return -ENOMEM;
	files_look(&l);
	return look_end(&l, errors);
}

int conf_check_files(const struct conf *conf, FILE *errors)
{
	struct looker l = {.conf = conf, .mistakes = calloc(1, sizeof(*l.mistakes))};

	if (!l.mistakes)
		return -ENOMEM;
	files_look(&l);
	for (size_t i = 0; i < conf->port_count; i++)
		if (conf->ports[i].kind == CONF_PORT_MEMIF &&
			conf->ports[i].memif_role == CONF_MEMIF_SERVER)
			parent_look(&l, &conf->ports[i].device, "ports.memif",
				conf->ports[i].device, true);
	directory_look(&l, &conf->devices.store, "devices.store", conf->devices.store);
	directory_look(&l, &conf->runtime, "runtime", conf->runtime);
	control_look(&l);
	listen_look(&l, &conf->metrics.listen, "metrics.listen");
	listen_look(&l, &conf->push.listen, "push.listen");
	access_look(&l);
	return look_end(&l, errors);
}
