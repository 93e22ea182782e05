// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/rows.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"

#include <string.h>

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

static void after_put(struct ctl_writer *request, const struct cli_after *after)
{
	switch (after->type) {
	case CTL_CBOR_UINT:
		ctl_put_uint(request, "after", after->value);
		break;
	case CTL_CBOR_BYTES:
		ctl_put_bytes(request, "after", after->data, after->value);
		break;
	default:
		ctl_put_text(request, "after", (const char *)after->data);
	}
}

// False if the row has nothing behind which a page could begin.
static bool after_take(struct cli_after *after, const struct ctl_cbor *row, const char *key)
{
	struct ctl_cbor item;

	if (!ctl_cbor_find(row, key, &item))
		return false;
	if (item.type == CTL_CBOR_TEXT || item.type == CTL_CBOR_BYTES) {
		if (item.value >= sizeof(after->data))
			return false;
		memcpy(after->data, item.data, item.value);
		after->data[item.value] = 0;
	} else if (item.type != CTL_CBOR_UINT) {
		return false;
	}
	after->type = item.type;
	after->value = item.value;
	after->given = true;
	return true;
}

struct page {
	const struct cli_list *list;
	struct cli_table table;
	struct cli_after after; // moves on
	uint64_t limit, count;  // rows asked for, and seen
	bool ends;              // there is nothing to go on behind
};

static int page_show(struct cli *cli, struct page *page, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	const struct cli_list *list = page->list;
	const struct ctl_cbor *map = &reply.message.map;

	page->count = 0;
	cli_begin(cli, &request, list->verb);
	if (list->filter)
		list->filter(cli, &request, argument);
	if (page->after.given)
		after_put(&request, &page->after);
	ctl_put_uint(&request, "limit", page->limit);
	int ret = cli_send(cli, &request, -1);

	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK && map->value) {
		page->count++;
		page->ends = !after_take(&page->after, map, list->key);
		if (cli->json)
			cli_json_element(cli, map);
		else
			list->row(&page->table, map);
	}
	return ret;
}

int cli_list_show(struct cli *cli, const struct cli_list *list, const struct cli_after *after,
	const char *argument)
{
	static struct page page;
	uint64_t left = cli->given & CLI_LIMIT ? cli->limit : UINT64_MAX;
	int ret;

	page.list = list;
	if (after)
		page.after = *after;
	cli_table_init(&page.table, list->titles);
	do {
		page.limit = left < CTL_LIST_MAX ? left : CTL_LIST_MAX;
		ret = page_show(cli, &page, argument);
		left -= page.count < left ? page.count : left;
		if (ret == CLI_OK && !cli->json)
			cli_table_print(&page.table);
	} while (ret == CLI_OK && page.count == page.limit && left > 0 && !page.ends);
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	cli_table_free(&page.table);
	return ret;
}
