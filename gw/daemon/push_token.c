// SPDX-License-Identifier: BSD-3-Clause
// The token that those who push have to know, in a file as the values of headers are.

#include "gw/conf/cached.h"
#include "gw/daemon/push.h"
#include "gw/os/header_lines.h"

#include <string.h>

int push_token_read(const struct conf *conf, struct header_lines **token, struct error *error)
{
	const struct conf_header header = {
		.name = (char *)"token", .kind = CONF_HEADER_FILE, .value = conf->push.token};
	const struct conf_header *wrong;
	struct error why = {0};

	*token = NULL;
	if (!conf_push_listens(conf) || !conf->push.token)
		return 0;
	int rc = header_lines_read(&header, 1, NULL, 0, token, &wrong, &why);

	static const char before[] = "headers.token: "; // what is said of any header

	return rc ? error_set(error, rc, "push.token: %s",
			    strncmp(why.text, before, strlen(before)) ? why.text
								      : why.text + strlen(before))
		  : 0;
}
