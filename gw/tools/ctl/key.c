// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/key.h"

#include "base/secret_file.h"
#include "gw/conf/conf.h"
#include "gw/store/store.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The daemon may not read the file, and systemd gave it a copy: it gets a descriptor.
static int seal_by_daemon(struct cli *cli, const char *path)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	struct error error;
	int fd = secret_file_open(path, "key-encryption key", &error);

	if (fd < 0) {
		cli_complain("%s", error.text);
		return CLI_FAILED;
	}
	cli_begin(cli, &request, "key rotate");
	int ret = cli_send(cli, &request, fd);

	close(fd);
	return ret == CLI_OK ? cli_receive(cli, &reply) : ret;
}

static int seal_here(const struct conf *conf, const char *path)
{
	struct error error;
	struct store *store = NULL;
	struct kek *kek;
	int ret = kek_load(path, &kek, &error);

	if (ret == 0) {
		const struct store_config config = {
			.directory = conf->devices.store,
			.runtime = conf->runtime,
			.kek = kek,
			.max_devices = conf->devices.max,
		};

		ret = store_open(&config, &store, &error);
		if (ret == 0)
			ret = store_rekey(store, kek, &error);
		store_close(store);
		kek_free(kek);
	}
	if (ret != 0)
		cli_complain("%s", error.text);
	return ret == 0 ? CLI_OK : CLI_FAILED;
}

// Seals the store under the newest key of the file, by the daemon if one runs.
static int seal(struct cli *cli, const struct conf *conf, const char *path)
{
	int ret = ctl_client_connect(&cli->client, cli->socket, cli->timeout_s);

	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return seal_here(conf, path);
	return seal_by_daemon(cli, path); // it complains if there is no connection
}

static int rotate(struct cli *cli, const struct conf *conf, const char *path)
{
	struct error error;

	if (kek_add_new(path, &error) != 0) {
		cli_complain("%s", error.text);
		return CLI_FAILED;
	}
	int ret = seal(cli, conf, path);

	if (ret != CLI_OK) {
		cli_complain(
			"%s has the key of before and a new one, and the gateway starts with it "
			"if it did before; once the reason is gone, key rotate goes on",
			path);
		return ret;
	}
	if (kek_drop_old(path, &error) != 0) {
		cli_complain("%s", error.text);
		return CLI_FAILED;
	}
	return CLI_OK;
}

int cli_key_rotate(struct cli *cli, const char *argument)
{
	struct conf *conf;

	if (conf_load(cli->given & CLI_CONFIG ? cli->config : CONF_PATH_DEFAULT, &conf, stderr) < 0)
		return CLI_FAILED;
	const char *path = conf->devices.kek ? conf->devices.kek : KEK_OF_UNIT;
	int ret = rotate(cli, conf, path);

	if (ret == CLI_OK && cli->json)
		printf("{\"key\":\"rotated\"}\n");
	else if (ret == CLI_OK)
		printf("%s: has a new key. Keep a copy of it in a safe place, and the former one "
		       "as "
		       "long\nas there are backups of before: they open with that only.\n",
			path);
	conf_free(conf);
	return ret;
}
