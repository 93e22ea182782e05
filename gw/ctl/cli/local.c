// SPDX-License-Identifier: BSD-3-Clause
// The commands that need no daemon.

#include "gw/conf.h"
#include "gw/ctl/cli/cli.h"
#include "gw/store/kek.h"

int cli_check(struct cli *cli, const char *path)
{
	struct conf *conf;

	if (conf_load(path, &conf, stderr) < 0)
		return CLI_FAILED;
	conf_free(conf);
	printf("%s: ok\n", path);
	return CLI_OK;
}

int cli_key_create(struct cli *cli, const char *path)
{
	struct store_error error = {0};

	if (kek_create(path, &error) < 0) {
		cli_complain("%s", error.text);
		return CLI_FAILED;
	}
	printf("%s: made. Keep a copy in a safe place: without it the device store cannot be "
	       "opened.\n",
		path);
	return CLI_OK;
}
