// SPDX-License-Identifier: BSD-3-Clause
// What the files of the schema share: schema.c, which has the whole table, and those of its parts.

#ifndef POSTERN_GW_CONF_SCHEMA_PARTS_H
#define POSTERN_GW_CONF_SCHEMA_PARTS_H

#include "gw/conf/key.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define SECOND ((uint64_t)1000)
#define HOUR   (3600 * SECOND)
#define KB     ((uint64_t)1 << 10)
#define MB     ((uint64_t)1 << 20)
#define GB     ((uint64_t)1 << 30)

#define PATH_LEN   1024
#define SOCKET_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

#define FIELD(s, member) \
	.offset = offsetof(struct s, member), .size = sizeof(((struct s *)0)->member)
#define ITEMS(s, member, count) \
	.offset = offsetof(struct s, member), .count_offset = offsetof(struct s, count)
#define ITEM(s) .size = sizeof(struct s), .line_offset = offsetof(struct s, line)

// Keys of struct conf_route and conf_policy.
extern const struct conf_key conf_route_keys[];
extern const struct conf_key conf_policy_keys[];
// Keys of struct conf_pass.
extern const struct conf_key conf_pass_keys[];
// A name and a value of `headers`.
extern const struct conf_key conf_header_name;
extern const struct conf_key conf_header_item;

// Keys of struct conf_control, conf_metrics, conf_push, conf_log, conf_handshakes and conf_edhoc.
extern const struct conf_key conf_control_keys[];
extern const struct conf_key conf_metrics_keys[];
extern const struct conf_key conf_push_keys[];
extern const struct conf_key conf_log_keys[];
extern const struct conf_key conf_handshakes_keys[];
extern const struct conf_key conf_edhoc_keys[];

#endif
