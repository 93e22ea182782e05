// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/rows.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"

int cli_rows_show(struct cli *cli, struct ctl_writer *request, const char *const *titles,
	void (*row)(struct cli_table *table, const struct ctl_cbor *map))
{
	static struct ctl_reply reply;
	struct cli_table table;
	int ret = cli_send(cli, request, -1);

	cli_table_init(&table, titles);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		else
			row(&table, &reply.message.map);
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	else if (ret == CLI_OK)
		cli_table_print(&table);
	cli_table_free(&table);
	return ret;
}
