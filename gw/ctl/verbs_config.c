// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs_config.h"

#include "gw/ctl/args.h"
#include "gw/ctl/verbs.h"

void ctl_on_reload(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {{"dry_run", CTL_CBOR_BOOL, .max = 1}};
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, args, 1))
		return;
	if (ops->reload)
		ops->reload(ops->arg, req, ctl_arg_bool(&args[0]));
	else
		ctl_unsupported(req);
}

void ctl_on_config_diff(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {
		{"path", CTL_CBOR_TEXT, .required = true, .min = 1, .max = CTL_PATH_MAX},
	};
	const struct ctl_ops *ops = arg;
	char path[CTL_PATH_MAX + 1];

	if (!ctl_args_read(req, map, args, 1) || !ctl_arg_text(req, &args[0], path))
		return;
	if (path[0] != '/')
		ctl_request_error(req, CTL_BAD_REQUEST, "path: must begin with /");
	else if (ops->config_diff)
		ops->config_diff(ops->arg, req, path);
	else
		ctl_unsupported(req);
}

void ctl_on_config_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {{"effective", CTL_CBOR_BOOL, .max = 1}};
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, args, 1))
		return;
	if (ops->config_show)
		ops->config_show(ops->arg, req, ctl_arg_bool(&args[0]));
	else
		ctl_unsupported(req);
}

void ctl_on_log_level(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {{"level", CTL_CBOR_TEXT, .min = 1, .max = CTL_WORD_MAX}};
	const struct ctl_ops *ops = arg;
	char word[CTL_WORD_MAX + 1] = "";

	if (!ctl_args_read(req, map, args, 1) ||
		(args[0].given && !ctl_arg_text(req, &args[0], word)))
		return;
	if (ops->log_level)
		ops->log_level(ops->arg, req, word);
	else
		ctl_unsupported(req);
}
