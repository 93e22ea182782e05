// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/cache.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>

int cli_cache_show(struct cli *cli, const char *argument)
{
	static const char *const counted[] = {
		"hits", "misses", "collapsed", "validated", "stale", "evicted"};
	static struct ctl_writer request;
	static struct ctl_reply reply;
	const struct ctl_cbor *map = &reply.message.map;

	cli_begin(cli, &request, "cache show");
	int ret = cli_call(cli, &request, &reply);

	if (ret != CLI_OK || cli->json)
		return ret;
	printf("entries     %" PRIu64 " of %" PRIu64 "\n", cli_uint(map, "entries", 0),
		cli_uint(map, "max_entries", 0));
	printf("bytes       %" PRIu64 " of %" PRIu64 "\n", cli_uint(map, "bytes", 0),
		cli_uint(map, "max_bytes", 0));
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		printf("%-11s %" PRIu64 "\n", counted[i], cli_uint(map, counted[i], 0));
	return ret;
}

int cli_cache_purge(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, "cache purge");
	if (argument)
		ctl_put_text(&request, "path", argument);
	return cli_call(cli, &request, &reply);
}
