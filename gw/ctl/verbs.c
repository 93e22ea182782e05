// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs.h"

#include "gw/ctl/args.h"
#include "gw/ctl/cbor_write.h"
#include "gw/ctl/spec.h"
#include "gw/ctl/verbs_cache.h"
#include "gw/ctl/verbs_config.h"
#include "gw/ctl/verbs_edhoc.h"
#include "gw/ctl/verbs_observe.h"
#include "gw/ctl/verbs_packets.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_hello(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_writer body;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "name", "postern");
	ctl_put_text(&body, "version", POSTERN_VERSION);
	ctl_put_uint(&body, "protocol", CTL_PROTOCOL);
	ctl_put_text(&body, "level", ctl_level_name(ctl_request_level(req)));
	ctl_write_text(&body, "verbs");
	ctl_write_array(&body);
	for (size_t i = 0; i < ctl_verb_count; i++)
		ctl_write_text(&body, ctl_verbs[i].name);
	ctl_write_close(&body);
	ctl_write_text(&body, "features");
	ctl_write_array(&body); // of the protocol that no verb's name shows; none yet
	ctl_write_close(&body);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

static void on_status(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->status)
		ops->status(ops->arg, req);
	else
		ctl_unsupported(req);
}

static void on_stats(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->stats)
		ops->stats(ops->arg, req);
	else
		ctl_unsupported(req);
}

static void on_device_add(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	struct device_spec spec;
	bool replace;

	if (ops->device_add == NULL)
		ctl_unsupported(req);
	else if (ctl_spec_read(req, map, &spec, &replace))
		ops->device_add(ops->arg, req, &spec, replace);
	sodium_memzero(&spec, sizeof(spec));
}

static bool read_format(
	struct ctl_request *req, const struct ctl_arg *given, enum import_format *format)
{
	if (!given->given || ctl_cbor_is_text(&given->item, "auto"))
		*format = IMPORT_AUTO;
	else if (ctl_cbor_is_text(&given->item, "csv"))
		*format = IMPORT_CSV;
	else if (ctl_cbor_is_text(&given->item, "json"))
		*format = IMPORT_JSON;
	else {
		ctl_request_error(req, CTL_BAD_REQUEST, "format: auto, csv or json");
		return false;
	}
	return true;
}

// What the client opened must be open for reading, and something that can be read.
static bool fd_is_readable(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_WRONLY && !(flags & O_PATH) &&
		fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
}

static void on_device_import(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { FORMAT, NEVER_USED, REPLACE, COUNT };
	struct ctl_arg args[COUNT] = {
		[FORMAT] = {"format", CTL_CBOR_TEXT, .max = 16},
		[NEVER_USED] = {"never_used", CTL_CBOR_BOOL, .max = 1},
		[REPLACE] = {"replace", CTL_CBOR_BOOL, .max = 1},
	};
	const struct ctl_ops *ops = arg;
	struct import_options options;
	int fd;

	if (ops->device_import == NULL) {
		ctl_unsupported(req);
		return;
	}
	if (!ctl_args_read(req, map, args, COUNT) ||
		!read_format(req, &args[FORMAT], &options.format))
		return;
	options.never_used = ctl_arg_bool(&args[NEVER_USED]);
	options.replace = ctl_arg_bool(&args[REPLACE]);
	fd = ctl_request_take_fd(req);
	if (fd_is_readable(fd)) {
		ops->device_import(ops->arg, req, fd, &options);
		return;
	}
	close(fd);
	ctl_request_error(req, CTL_BAD_REQUEST, "the file descriptor is not open for reading");
}

// Reads the word for a state. False if it is none; the request is answered then, and gone.
static bool read_state(
	struct ctl_request *req, const struct ctl_arg *arg, struct ctl_device_filter *filter)
{
	if (!arg->given)
		return true;
	if (ctl_cbor_is_text(&arg->item, CTL_NOT_LIVE)) {
		filter->not_live = true;
		return true;
	}
	filter->by_state = true;
	for (unsigned i = 0; i < CTL_DEVICE_STATE_COUNT; i++) {
		filter->state = (enum ctl_device_state)i;
		if (ctl_cbor_is_text(&arg->item, ctl_device_state_name(filter->state)))
			return true;
	}
	ctl_request_error(req, CTL_BAD_REQUEST, "state: no state of a device");
	return false;
}

static void on_device_list(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { AFTER, LIMIT, STATE, IDLE, LIMITED, POLICY, COUNT };
	struct ctl_arg args[COUNT] = {
		[AFTER] = {"after", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_LIST_MAX},
		[STATE] = {"state", CTL_CBOR_TEXT, .min = 1, .max = 32},
		[IDLE] = {"idle_ms", CTL_CBOR_UINT, .min = 1, .max = UINT64_MAX / 2},
		[LIMITED] = {"limited", CTL_CBOR_BOOL, .max = 1},
		[POLICY] = {"policy", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_POLICY_MAX},
	};
	const struct ctl_ops *ops = arg;
	struct ctl_device_filter filter = {0};
	char after[DEVICE_NAME_MAX + 1];

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_name(req, &args[AFTER], after) ||
		!ctl_arg_name(req, &args[POLICY], filter.policy) ||
		!read_state(req, &args[STATE], &filter))
		return;
	filter.idle_ms = args[IDLE].given ? args[IDLE].item.value : 0;
	filter.limited = ctl_arg_bool(&args[LIMITED]);
	if (ops->device_list)
		ops->device_list(ops->arg, req, after,
			args[LIMIT].given ? args[LIMIT].item.value : CTL_LIST_MAX, &filter);
	else
		ctl_unsupported(req);
}

// For the verbs that take a name and nothing else.
static void with_name(const struct ctl_ops *ops, struct ctl_request *req,
	const struct ctl_cbor *map,
	void (*operation)(void *arg, struct ctl_request *req, const char *name))
{
	struct ctl_arg args[] = {
		{"name", CTL_CBOR_TEXT, .required = true, .min = 1, .max = DEVICE_NAME_MAX},
	};
	char name[DEVICE_NAME_MAX + 1];

	if (!ctl_args_read(req, map, args, 1) || !ctl_arg_name(req, &args[0], name))
		return;
	if (operation)
		operation(ops->arg, req, name);
	else
		ctl_unsupported(req);
}

static void on_device_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	with_name(ops, req, map, ops->device_show);
}

static void on_device_remove(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	with_name(ops, req, map, ops->device_remove);
}

static void on_device_resync(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { NAME, FROM, COUNT };
	struct ctl_arg args[COUNT] = {
		[NAME] = {"name", CTL_CBOR_TEXT, true, 1, DEVICE_NAME_MAX},
		[FROM] = {"from", CTL_CBOR_UINT, .max = DEVICE_SEQ_MAX},
	};
	const struct ctl_ops *ops = arg;
	char name[DEVICE_NAME_MAX + 1];

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_name(req, &args[NAME], name))
		return;
	if (ops->device_resync)
		ops->device_resync(ops->arg, req, name, args[FROM].given,
			args[FROM].given ? args[FROM].item.value : 0);
	else
		ctl_unsupported(req);
}

static void on_device_rotate(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	char name[DEVICE_NAME_MAX + 1];
	struct device_spec spec;

	if (ops->device_rotate == NULL) {
		ctl_unsupported(req);
		return;
	}
	if (ctl_spec_read(req, map, &spec, NULL)) {
		memcpy(name, spec.name, sizeof(name));
		memset(spec.name, 0, sizeof(spec.name));
		ops->device_rotate(ops->arg, req, name, &spec);
	}
	sodium_memzero(&spec, sizeof(spec));
}

static void on_store_check(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->store_check)
		ops->store_check(ops->arg, req);
	else
		ctl_unsupported(req);
}

static void on_tombstone_list(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { AFTER, LIMIT, COUNT };
	struct ctl_arg args[COUNT] = {
		[AFTER] = {"after", CTL_CBOR_BYTES, .min = CTL_TOMBSTONE_KEY,
			.max = CTL_TOMBSTONE_KEY},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_LIST_MAX},
	};
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, args, COUNT))
		return;
	if (ops->tombstone_list)
		ops->tombstone_list(ops->arg, req, args[AFTER].given ? args[AFTER].item.data : NULL,
			args[LIMIT].given ? (unsigned)args[LIMIT].item.value : CTL_LIST_MAX);
	else
		ctl_unsupported(req);
}

static void on_key_rotate(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	int fd;

	if (ops->key_rotate == NULL) {
		ctl_unsupported(req);
		return;
	}
	if (!ctl_args_read(req, map, NULL, 0))
		return;
	fd = ctl_request_take_fd(req);
	if (fd_is_readable(fd)) {
		ops->key_rotate(ops->arg, req, fd);
		return;
	}
	close(fd);
	ctl_request_error(req, CTL_BAD_REQUEST, "the file descriptor is not open for reading");
}

static void on_store_backup(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {
		{"path", CTL_CBOR_TEXT, .required = true, .min = 1, .max = CTL_PATH_MAX},
	};
	const struct ctl_ops *ops = arg;
	char path[CTL_PATH_MAX + 1] = "";

	if (!ctl_args_read(req, map, args, 1))
		return;
	memcpy(path, args[0].item.data, args[0].item.value);
	if (path[0] != '/' || strlen(path) != args[0].item.value)
		ctl_request_error(req, CTL_BAD_REQUEST, "path: must begin with /");
	else if (ops->store_backup)
		ops->store_backup(ops->arg, req, path);
	else
		ctl_unsupported(req);
}

static void on_upstream_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	struct ctl_arg args[] = {
		{"name", CTL_CBOR_TEXT, .required = true, .min = 1, .max = CTL_UPSTREAM_MAX},
	};
	const struct ctl_ops *ops = arg;
	char name[CTL_UPSTREAM_MAX + 1];

	if (!ctl_args_read(req, map, args, 1) || !ctl_arg_text(req, &args[0], name))
		return;
	if (ops->upstream_show)
		ops->upstream_show(ops->arg, req, name);
	else
		ctl_unsupported(req);
}

static void server_order(const struct ctl_ops *ops, struct ctl_request *req,
	const struct ctl_cbor *map, enum ctl_server_order order)
{
	enum { UPSTREAM, SERVER, COUNT };
	struct ctl_arg args[COUNT] = {
		[UPSTREAM] = {"upstream", CTL_CBOR_TEXT, true, 1, CTL_UPSTREAM_MAX},
		[SERVER] = {"server", CTL_CBOR_TEXT, true, 1, CTL_SERVER_MAX},
	};
	char upstream[CTL_UPSTREAM_MAX + 1], server[CTL_SERVER_MAX + 1];

	if (!ctl_args_read(req, map, args, COUNT) ||
		!ctl_arg_text(req, &args[UPSTREAM], upstream) ||
		!ctl_arg_text(req, &args[SERVER], server))
		return;
	if (ops->server_order)
		ops->server_order(ops->arg, req, upstream, server, order);
	else
		ctl_unsupported(req);
}

static void on_server_drain(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	server_order(arg, req, map, CTL_SERVER_DRAIN);
}

static void on_server_maint(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	server_order(arg, req, map, CTL_SERVER_MAINT);
}

static void on_server_ready(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	server_order(arg, req, map, CTL_SERVER_READY);
}

// The reply comes before the first event.
static void on_events(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	if (!ctl_args_read(req, map, NULL, 0))
		return;
	ctl_request_subscribe(req);
	ctl_request_end(req);
}

static uint32_t seconds_given(const struct ctl_arg *arg, uint32_t otherwise)
{
	return arg->given ? (uint32_t)arg->item.value : otherwise;
}

static void on_drain(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { TIMEOUT, RETURN, STOP, COUNT };
	struct ctl_arg args[COUNT] = {
		[TIMEOUT] = {"timeout", CTL_CBOR_UINT, .max = CTL_DRAIN_MAX_S},
		[RETURN] = {"return", CTL_CBOR_UINT, .min = 1, .max = CTL_DRAIN_MAX_S},
		[STOP] = {"stop", CTL_CBOR_BOOL, .max = 1},
	};
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, args, COUNT))
		return;
	const struct ctl_drain drain = {
		.timeout_s = seconds_given(&args[TIMEOUT], CTL_DRAIN_TIMEOUT_S),
		.return_s = seconds_given(&args[RETURN], CTL_DRAIN_RETURN_S),
		.stop = args[STOP].given && args[STOP].item.value,
	};

	if (drain.stop && ctl_request_level(req) < CTL_ADMIN)
		ctl_request_error(req, CTL_DENIED, "to stop the daemon takes level admin");
	else if (ops->drain)
		ops->drain(ops->arg, req, &drain);
	else
		ctl_unsupported(req);
}

static void on_undrain(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->undrain)
		ops->undrain(ops->arg, req);
	else
		ctl_unsupported(req);
}

static void on_shutdown(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->shutdown)
		ops->shutdown(ops->arg, req);
	else
		ctl_unsupported(req);
}

const struct ctl_verb ctl_verbs[] = {
	{"hello", CTL_VIEW, false, on_hello, "who is there, and what it can do"},
	{"status", CTL_VIEW, false, on_status, "state of ports, workers, devices and upstreams"},
	{"stats", CTL_VIEW, false, on_stats, "all counters"},
	{"device add", CTL_ADMIN, false, on_device_add, "add a device"},
	{"device import", CTL_ADMIN, true, on_device_import, "add all devices of a file, or none"},
	{"device list", CTL_VIEW, false, on_device_list, "devices by name, a page at a time"},
	{"device show", CTL_VIEW, false, on_device_show, "state of one device"},
	{"device remove", CTL_ADMIN, false, on_device_remove, "remove a device and its keys"},
	{"device resync", CTL_OPERATE, false, on_device_resync,
		"forget which sequence numbers a device has used"},
	{"device rotate", CTL_ADMIN, false, on_device_rotate, "give a device other keys"},
	{"store check", CTL_ADMIN, false, on_store_check, "look for damage in the device store"},
	{"store backup", CTL_ADMIN, false, on_store_backup, "copy the device store"},
	{"tombstone list", CTL_OPERATE, false, on_tombstone_list,
		"what is remembered of keys that no device has any more"},
	{"key rotate", CTL_ADMIN, true, on_key_rotate, "seal the device store under a new key"},
	{"upstream show", CTL_VIEW, false, on_upstream_show, "servers of an upstream"},
	{"server drain", CTL_OPERATE, false, on_server_drain,
		"give a server of an upstream no new requests"},
	{"server maint", CTL_OPERATE, false, on_server_maint, "the same, and do not check it"},
	{"server ready", CTL_OPERATE, false, on_server_ready, "give it requests again"},
	{"capture", CTL_OPERATE, false, ctl_on_capture, "copies of frames as they come and go"},
	{"reload", CTL_ADMIN, false, ctl_on_reload, "read the configuration again"},
	{"config diff", CTL_ADMIN, false, ctl_on_config_diff,
		"what differs between a file and the configuration in use"},
	{"config show", CTL_ADMIN, false, ctl_on_config_show, "the configuration in use"},
	{"log level", CTL_OPERATE, false, ctl_on_log_level, "the least level that is logged"},
	{"cache show", CTL_VIEW, false, ctl_on_cache_show, "what is stored of answers"},
	{"cache purge", CTL_OPERATE, false, ctl_on_cache_purge,
		"serve nothing more that is stored"},
	{"observe list", CTL_OPERATE, false, ctl_on_observe_list,
		"registrations of observers, a page at a time"},
	{"observe push", CTL_OPERATE, false, ctl_on_observe_push,
		"publish what devices get and observe"},
	{"observe cancel", CTL_OPERATE, false, ctl_on_observe_cancel,
		"end registrations of a device"},
	{"edhoc identity", CTL_VIEW, false, ctl_on_edhoc_identity,
		"credentials of the gateway, for its devices"},
	{"edhoc sessions", CTL_VIEW, false, ctl_on_edhoc_sessions,
		"sessions of devices, a page at a time"},
	{"edhoc end", CTL_OPERATE, false, ctl_on_edhoc_end, "end the sessions of a device"},
	{"show refused", CTL_OPERATE, false, ctl_on_show_refused,
		"the last packets that were refused, and why"},
	{"trace", CTL_OPERATE, false, ctl_on_trace, "what happens to packets, stage by stage"},
	{"events", CTL_OPERATE, false, on_events, "tell what happens from now on"},
	{"drain", CTL_OPERATE, false, on_drain, "take no new requests, and finish those under way"},
	{"undrain", CTL_OPERATE, false, on_undrain, "take requests again"},
	{"shutdown", CTL_ADMIN, false, on_shutdown, "stop the daemon"},
};
const size_t ctl_verb_count = sizeof(ctl_verbs) / sizeof(ctl_verbs[0]);
