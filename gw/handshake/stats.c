// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/stats.h"

static const struct {
	const char *name, *help;
} rows[HANDSHAKE_STAT_COUNT] = {
#define HANDSHAKE_STAT(name, help) [HANDSHAKE_STAT_##name] = {#name, help},
#include "gw/handshake/stats.def"
#undef HANDSHAKE_STAT
};

const char *handshake_stat_name(enum handshake_stat stat)
{
	return rows[stat].name;
}

const char *handshake_stat_help(enum handshake_stat stat)
{
	return rows[stat].help;
}
