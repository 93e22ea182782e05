// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/local.h"

#include "base/secret_file.h"
#include "gw/conf/conf.h"
#include "gw/os/header_lines.h"
#include "gw/os/tls_files.h"
#include "gw/store/kek.h"
#include "gw/store/store.h"
#include "gw/tools/ctl/complain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The key-encryption key is opened, unless systemd brings it.
static int check_kek(const struct conf *conf, FILE *errors)
{
	struct error error = {0};
	struct kek *kek;

	if (!conf->devices.kek)
		return 0;
	int ret = kek_load(conf->devices.kek, &kek, &error);

	if (ret < 0)
		fprintf(errors, "%s:%u: devices.kek: %s\n", conf->path,
			conf_line(conf, &conf->devices.kek), error.text);
	else
		kek_free(kek);
	return ret;
}

// The files of each upstream's TLS are read.
static int check_tls(const struct conf *conf, FILE *errors)
{
	int ret = 0;

	for (size_t i = 0; i < conf->upstream_count; i++) {
		const struct conf_upstream *upstream = &conf->upstreams[i];
		char *const *wrong;
		struct error error;
		int rc = tls_files_check(&upstream->tls, &wrong, &error);

		if (rc)
			fprintf(errors, "%s:%u: upstreams.%s.%s\n", conf->path,
				conf_line(conf, wrong), upstream->name, error.text);
		ret = rc ? rc : ret;
	}
	return ret;
}

// The files of all headers are read, and the values measured as a route sends them.
static int check_headers(const struct conf *conf, FILE *errors)
{
	int ret = 0;

	for (size_t i = 0; i < conf->upstream_count + conf->route_count; i++) {
		const bool is_route = i >= conf->upstream_count;
		const struct conf_route *route =
			is_route ? &conf->routes[i - conf->upstream_count] : NULL;
		const struct conf_upstream *upstream =
			is_route ? route->upstream : &conf->upstreams[i];
		const struct conf_header *wrong;
		struct header_lines *lines;
		struct error error;

		if (!upstream || (is_route && !route->header_count))
			continue; // a builtin route, or one that has its upstream's
		int rc = header_lines_read(is_route ? route->headers : NULL,
			is_route ? route->header_count : 0, upstream->headers,
			upstream->header_count, &lines, &wrong, &error);
		if (rc && is_route)
			fprintf(errors, "%s:%u: routes[%zu].%s\n", conf->path, wrong->line,
				i - conf->upstream_count, error.text);
		else if (rc)
			fprintf(errors, "%s:%u: upstreams.%s.%s\n", conf->path, wrong->line,
				upstream->name, error.text);
		header_lines_free(lines);
		ret = rc ? rc : ret;
	}
	return ret;
}

// Whether the files with the gateway's private keys are nobody else's, and the authorities of
// devices are certificates.
static int check_edhoc(const struct conf *conf, FILE *errors)
{
	const struct conf_edhoc *edhoc = &conf->edhoc;
	struct error error;
	int ret = 0;

	for (size_t i = 0; i < edhoc->identity_count; i++) {
		char *const *path = &edhoc->identity[i];
		// A credential is the unit's.
		const int fd = **path == '/' ? secret_file_open(*path, "identity", &error) : 0;

		if (fd < 0) {
			fprintf(errors, "%s:%u: edhoc.identity[%zu]: %s\n", conf->path,
				conf_line(conf, path), i, error.text);
			ret = fd;
		}
		if (fd > 0)
			close(fd);
	}
	for (size_t i = 0; i < edhoc->trust_count; i++) {
		const struct conf_tls tls = {.ca = edhoc->trust[i].ca};
		char *const *wrong;

		if (!tls_files_check(&tls, &wrong, &error))
			continue;
		fprintf(errors, "%s:%u: edhoc.trust[%zu].%s\n", conf->path,
			conf_line(conf, &edhoc->trust[i].ca), i, error.text + strlen("tls."));
		ret = error.code;
	}
	return ret;
}

int cli_check_files(const struct conf *conf, FILE *errors)
{
	int ret = conf_check_files(conf, errors);

	if (ret == 0)
		ret = check_kek(conf, errors);
	if (ret == 0)
		ret = check_tls(conf, errors);
	if (ret == 0)
		ret = check_edhoc(conf, errors);
	return ret == 0 ? check_headers(conf, errors) : ret;
}

// What the requests of a route do not say, so that nobody wonders at the backend.
static void nameless_print(const struct conf *conf)
{
	for (size_t r = 0; r < conf->route_count; r++)
		if (conf->routes[r].cache.scope == CONF_CACHE_SHARED)
			printf("routes[%zu] %s: GET and FETCH say nothing of their device (cache: "
			       "shared)\n",
				r, conf->routes[r].path.text);
}

int cli_check(struct cli *cli, const char *path)
{
	struct conf *conf;
	int ret = 0;

	if (conf_load(path, &conf, stderr) < 0)
		return CLI_FAILED;
	if (!(cli->given & CLI_NO_FILES))
		ret = cli_check_files(conf, stderr);
	if (ret >= 0)
		nameless_print(conf);
	conf_free(conf);
	if (ret < 0)
		return CLI_FAILED;
	printf("%s: ok\n", path);
	return CLI_OK;
}

// Opens the key-encryption key, of the unit if it is a credential, and takes the store over.
static int adopt(const struct conf *conf, uint32_t *run)
{
	const bool named = conf->devices.kek || getenv("CREDENTIALS_DIRECTORY");
	struct error error = {0};
	struct kek *kek;
	int ret = kek_load(named ? conf->devices.kek : KEK_OF_UNIT, &kek, &error);

	if (ret == 0) {
		const struct store_config config = {
			.directory = conf->devices.store,
			.runtime = conf->runtime,
			.kek = kek,
			.max_devices = conf->devices.max,
		};

		ret = store_adopt(&config, run, &error);
		kek_free(kek);
	}
	if (ret < 0)
		cli_complain("%s", error.text);
	return ret;
}

int cli_store_adopt(struct cli *cli, const char *argument)
{
	struct conf *conf;
	uint32_t run;
	int ret;

	if (conf_load(cli->given & CLI_CONFIG ? cli->config : CONF_PATH_DEFAULT, &conf, stderr) < 0)
		return CLI_FAILED;
	ret = adopt(conf, &run);
	if (ret == 0 && cli->json)
		printf("{\"store\":\"adopted\",\"run\":%" PRIu32 "}\n", run);
	else if (ret == 0)
		printf("%s: adopted, runs go on at %" PRIu32 ".\n"
		       "WARNING: the store that this is a copy of must never run again: both "
		       "would\n"
		       "use the same nonces, and the secrecy of all messages would be lost.\n"
		       "Every device is challenged at its next request. Devices with recovery: "
		       "floor\n"
		       "are not served before: posternctl device resync NAME --from M\n",
			conf->devices.store, run);
	conf_free(conf);
	return ret == 0 ? CLI_OK : CLI_FAILED;
}

int cli_key_create(struct cli *cli, const char *path)
{
	struct error error = {0};

	if (kek_create(path, &error) < 0) {
		cli_complain("%s", error.text);
		return CLI_FAILED;
	}
	printf("%s: made. Keep a copy in a safe place: without it the device store cannot be "
	       "opened.\n",
		path);
	return CLI_OK;
}
