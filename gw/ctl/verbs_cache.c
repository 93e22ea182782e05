// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs_cache.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"

// Reads the only argument, which need not be given. false: the request is answered.
static bool path_read(
	struct ctl_request *req, const struct ctl_cbor *map, char path[CTL_PATH_MAX + 1])
{
	struct ctl_arg args[] = {{"path", CTL_CBOR_TEXT, .min = 1, .max = CTL_PATH_MAX}};

	path[0] = 0;
	if (!ctl_args_read(req, map, args, 1) ||
		(args[0].given && !ctl_arg_text(req, &args[0], path)))
		return false;
	if (!path[0] || path[0] == '/')
		return true;
	ctl_request_error(req, CTL_BAD_REQUEST, "path: must begin with /");
	return false;
}

void ctl_on_cache_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	char path[CTL_PATH_MAX + 1];

	if (!path_read(req, map, path))
		return;
	if (path[0] && ctl_request_level(req) < CTL_OPERATE)
		ctl_request_error(req, CTL_DENIED, "what is stored of a path is for operators");
	else if (ops->cache_show)
		ops->cache_show(ops->arg, req, path);
	else
		ctl_unsupported(req);
}

void ctl_on_cache_purge(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	char path[CTL_PATH_MAX + 1];

	if (!path_read(req, map, path))
		return;
	if (ops->cache_purge)
		ops->cache_purge(ops->arg, req, path);
	else
		ctl_unsupported(req);
}
