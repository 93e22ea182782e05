// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/stats.h"

static const struct {
	const char *name, *help;
	enum unit unit;
} rows[UP_STAT_COUNT] = {
#define UP_STAT(name, unit, help) [UP_STAT_##name] = {#name, help, UNIT_##unit},
#include "gw/upstream/stats.def"
#undef UP_STAT
	[UP_STAT_ERROR] = {"error_none", "never counted", UNIT_COUNT},
#define HTTP_ERROR(name, help) \
	[UP_STAT_ERROR + HTTP_ERR_##name] = {"error_" #name, help, UNIT_COUNT},
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

enum unit up_stat_unit(enum up_stat stat)
{
	return rows[stat].unit;
}

unsigned up_stat_bucket(uint64_t value)
{
	unsigned bits = value > 1 ? 64 - (unsigned)__builtin_clzll(value - 1) : 0;

	return bits < UP_STAT_BUCKETS ? bits : UP_STAT_BUCKETS - 1;
}

bool up_stat_is_gauge(enum up_stat stat)
{
	return stat == UP_STAT_inflight || stat == UP_STAT_waiting ||
		stat == UP_STAT_batch_refusing || stat == UP_STAT_body_bodies ||
		stat == UP_STAT_body_bytes;
}
