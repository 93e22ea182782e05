// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/verbs.h"

#include "gw/ctl/args.h"
#include "gw/ctl/cbor_write.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void unsupported(struct ctl_request *req)
{
	ctl_request_error(req, CTL_UNSUPPORTED, "this daemon does not have the verb");
}

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
	ctl_write_array(&body); // for what a verb's name does not tell; none yet
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
		unsupported(req);
}

static void on_stats(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->stats)
		ops->stats(ops->arg, req);
	else
		unsupported(req);
}

static bool read_algorithm(
	struct ctl_request *req, const struct ctl_arg *given, enum aead_alg *algorithm)
{
	char name[32] = "";

	*algorithm = AEAD_AES_CCM_16_64_128;
	if (!given->given)
		return true;
	if (given->item.value < sizeof(name))
		memcpy(name, given->item.data, given->item.value);
	if (aead_alg_from_name(name, algorithm) < 0) {
		ctl_request_error(req, CTL_BAD_REQUEST, "algorithm: not one of postern's");
		return false;
	}
	return true;
}

// A word of at most 15 bytes, or "" for another text.
#define WORD_MAX 16

static void read_word(const struct ctl_arg *given, char word[WORD_MAX])
{
	memset(word, 0, WORD_MAX);
	if (given->item.value < WORD_MAX)
		memcpy(word, given->item.data, given->item.value);
}

static bool read_policy(struct ctl_request *req, const struct ctl_arg *recovery,
	const struct ctl_arg *own_piv, struct device_spec *spec)
{
	char word[WORD_MAX];

	spec->has_recovery = recovery->given;
	spec->has_own_piv = own_piv->given;
	if (recovery->given) {
		read_word(recovery, word);
		if (device_recovery_of(word, &spec->recovery) < 0) {
			ctl_request_error(req, CTL_BAD_REQUEST, "recovery: echo or floor");
			return false;
		}
	}
	if (own_piv->given) {
		read_word(own_piv, word);
		if (device_own_piv_of(word, &spec->own_piv) < 0) {
			ctl_request_error(req, CTL_BAD_REQUEST, "own_piv: auto, always or clock");
			return false;
		}
	}
	return true;
}

// Of a device that is added, or of the keys that it is to have: then replace is NULL, and the name
// must be there.
static bool read_spec(struct ctl_request *req, const struct ctl_cbor *map, struct device_spec *spec,
	bool *replace)
{
	enum {
		NAME,
		DEVICE_ID,
		GATEWAY_ID,
		SECRET,
		SALT,
		ID_CONTEXT,
		ALGORITHM,
		NEVER_USED,
		GATEWAY_SEQ,
		DEVICE_SEQ,
		RECOVERY,
		OWN_PIV,
		MAX_MESSAGE,
		MAX_IN_FLIGHT,
		REPLACE, // the last: not for keys of a device that is there
		COUNT
	};
	struct ctl_arg args[COUNT] = {
		[NAME] = {"name", CTL_CBOR_TEXT, !replace, 1, DEVICE_NAME_MAX},
		[DEVICE_ID] = {"device_id", CTL_CBOR_BYTES, true, 0, OSC_KID_LEN_MAX},
		[GATEWAY_ID] = {"gateway_id", CTL_CBOR_BYTES, true, 0, OSC_KID_LEN_MAX},
		[SECRET] = {"master_secret", CTL_CBOR_BYTES, true, 1, OSC_SECRET_LEN_MAX},
		[SALT] = {"master_salt", CTL_CBOR_BYTES, .max = OSC_SECRET_LEN_MAX},
		[ID_CONTEXT] = {"id_context", CTL_CBOR_BYTES, .max = OSC_ID_CONTEXT_LEN_MAX},
		[ALGORITHM] = {"algorithm", CTL_CBOR_TEXT, .min = 1, .max = 64},
		[NEVER_USED] = {"never_used", CTL_CBOR_BOOL, .max = 1},
		[GATEWAY_SEQ] = {"gateway_seq", CTL_CBOR_UINT, .max = UINT64_MAX},
		[DEVICE_SEQ] = {"device_seq", CTL_CBOR_UINT, .max = DEVICE_SEQ_MAX},
		[RECOVERY] = {"recovery", CTL_CBOR_TEXT, .min = 1, .max = 64},
		[OWN_PIV] = {"own_piv", CTL_CBOR_TEXT, .min = 1, .max = 64},
		[MAX_MESSAGE] = {"max_message", CTL_CBOR_UINT, .min = DEVICE_MESSAGE_MIN,
			.max = DEVICE_MESSAGE_MAX},
		[MAX_IN_FLIGHT] = {"max_in_flight", CTL_CBOR_UINT, .min = 1,
			.max = DEVICE_IN_FLIGHT_MAX},
		[REPLACE] = {"replace", CTL_CBOR_BOOL, .max = 1},
	};
	struct osc_params *params = &spec->params;

	memset(spec, 0, sizeof(*spec));
	if (!ctl_args_read(req, map, args, replace ? COUNT : REPLACE) ||
		!ctl_arg_name(req, &args[NAME], spec->name) ||
		!read_algorithm(req, &args[ALGORITHM], &params->alg) ||
		!read_policy(req, &args[RECOVERY], &args[OWN_PIV], spec))
		return false;
	params->recipient_id_len = ctl_arg_bytes(&args[DEVICE_ID], params->recipient_id);
	params->sender_id_len = ctl_arg_bytes(&args[GATEWAY_ID], params->sender_id);
	params->secret_len = ctl_arg_bytes(&args[SECRET], params->secret);
	params->salt_len = ctl_arg_bytes(&args[SALT], params->salt);
	params->id_context_len = ctl_arg_bytes(&args[ID_CONTEXT], params->id_context);
	params->has_id_context = args[ID_CONTEXT].given;
	spec->never_used = ctl_arg_bool(&args[NEVER_USED]);
	spec->has_gateway_seq = args[GATEWAY_SEQ].given;
	spec->gateway_seq = spec->has_gateway_seq ? args[GATEWAY_SEQ].item.value : 0;
	spec->has_device_seq = args[DEVICE_SEQ].given;
	spec->device_seq = spec->has_device_seq ? args[DEVICE_SEQ].item.value : 0;
	if (args[MAX_MESSAGE].given)
		spec->limits.max_message = args[MAX_MESSAGE].item.value;
	if (args[MAX_IN_FLIGHT].given)
		spec->limits.max_in_flight = args[MAX_IN_FLIGHT].item.value;
	if (replace)
		*replace = ctl_arg_bool(&args[REPLACE]);
	if (spec->never_used == spec->has_gateway_seq) {
		ctl_request_error(req, CTL_BAD_REQUEST,
			"say where the keys have been: either never_used is true or there is a "
			"gateway_seq");
		return false;
	}
	return true;
}

static void on_device_add(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	struct device_spec spec;
	bool replace;

	if (ops->device_add == NULL)
		unsupported(req);
	else if (read_spec(req, map, &spec, &replace))
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
		unsupported(req);
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

static void on_device_list(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	enum { AFTER, LIMIT, COUNT };
	struct ctl_arg args[COUNT] = {
		[AFTER] = {"after", CTL_CBOR_TEXT, .min = 1, .max = DEVICE_NAME_MAX},
		[LIMIT] = {"limit", CTL_CBOR_UINT, .min = 1, .max = CTL_LIST_MAX},
	};
	const struct ctl_ops *ops = arg;
	char after[DEVICE_NAME_MAX + 1];

	if (!ctl_args_read(req, map, args, COUNT) || !ctl_arg_name(req, &args[AFTER], after))
		return;
	if (ops->device_list)
		ops->device_list(ops->arg, req, after,
			args[LIMIT].given ? args[LIMIT].item.value : CTL_LIST_MAX);
	else
		unsupported(req);
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
		unsupported(req);
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
		unsupported(req);
}

static void on_device_rotate(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;
	char name[DEVICE_NAME_MAX + 1];
	struct device_spec spec;

	if (ops->device_rotate == NULL) {
		unsupported(req);
		return;
	}
	if (read_spec(req, map, &spec, NULL)) {
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
		unsupported(req);
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
		unsupported(req);
}

// The reply comes before the first event.
static void on_events(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	if (!ctl_args_read(req, map, NULL, 0))
		return;
	ctl_request_subscribe(req);
	ctl_request_end(req);
}

static void on_shutdown(void *arg, struct ctl_request *req, const struct ctl_cbor *map)
{
	const struct ctl_ops *ops = arg;

	if (!ctl_args_read(req, map, NULL, 0))
		return;
	if (ops->shutdown)
		ops->shutdown(ops->arg, req);
	else
		unsupported(req);
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
	{"events", CTL_OPERATE, false, on_events, "tell what happens from now on"},
	{"shutdown", CTL_ADMIN, false, on_shutdown, "stop the daemon"},
};
const size_t ctl_verb_count = sizeof(ctl_verbs) / sizeof(ctl_verbs[0]);
