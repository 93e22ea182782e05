// SPDX-License-Identifier: BSD-3-Clause
// What the files of the schema share: schema.c, which has the whole table, and schema_daemon.c.

#ifndef POSTERN_GW_CONF_SCHEMA_PARTS_H
#define POSTERN_GW_CONF_SCHEMA_PARTS_H

#include "gw/conf/key.h"

#include <stddef.h>
#include <sys/un.h>

#define PATH_LEN   1024
#define SOCKET_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

#define FIELD(s, member) \
	.offset = offsetof(struct s, member), .size = sizeof(((struct s *)0)->member)
#define ITEMS(s, member, count) \
	.offset = offsetof(struct s, member), .count_offset = offsetof(struct s, count)
#define ITEM(s) .size = sizeof(struct s), .line_offset = offsetof(struct s, line)

// Keys of struct conf_control, conf_metrics and conf_log.
extern const struct conf_key conf_control_keys[];
extern const struct conf_key conf_metrics_keys[];
extern const struct conf_key conf_log_keys[];

#endif
