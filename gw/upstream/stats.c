// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/stats.h"

static const struct {
	const char *name, *help;
} rows[UP_STAT_COUNT] = {
#define UP_STAT(name, help) [UP_STAT_##name] = {#name, help},
#include "gw/upstream/stats.def"
#undef UP_STAT
	[UP_STAT_ERROR] = {"error_none", "never counted"},
#define HTTP_ERROR(name, help) [UP_STAT_ERROR + HTTP_ERR_##name] = {"error_" #name, help},
#include "gw/http/errors.def"
#undef HTTP_ERROR
};

const char *up_stat_name(enum up_stat stat)
{
	return rows[stat].name;
}

const char *up_stat_help(enum up_stat stat)
{
	return rows[stat].help;
}

bool up_stat_is_gauge(enum up_stat stat)
{
	return stat == UP_STAT_inflight || stat == UP_STAT_waiting;
}
