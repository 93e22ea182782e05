// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/operator.h"

#include "gw/daemon/cache_verbs.h"
#include "gw/daemon/device_verbs.h"
#include "gw/daemon/drain.h"
#include "gw/daemon/import_verb.h"
#include "gw/daemon/reload.h"
#include "tests/sim/device.h"
#include "tests/sim/disk.h"
#include "tests/sim/gateway.h"
#include "tests/sim/settings.h"
#include "tests/sim/taste.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum verb { NONE, ADD, REMOVE, ROTATE, RESYNC, IMPORT, RELOAD, DRAIN, UNDRAIN, PURGE };
static const char *const verbs[] = {"none", "add", "remove", "rotate", "resync", "import", "reload",
	"drain", "undrain", "purge"};

#define ROWS 3 // of an import

static struct ctl_request {
	enum verb verb;
	unsigned count; // devices
	unsigned device[ROWS];
	bool fresh[ROWS];
} under_way;
// A verb on devices failed: if it was because of the disk, what it was to do may be there.
static bool doubts;
// What devices asked before they were removed, until nothing of it is left.
static struct {
	bool leaves;
	uint32_t asks;
} removed[DEVICES];

void operator_begin(void)
{
	under_way.verb = NONE;
	doubts = false;
	memset(removed, 0, sizeof(removed));
}

bool operator_waits(void)
{
	return under_way.verb != NONE;
}

void operator_turn(bool over)
{
	if (!over && (!gateway.serving || gateway.dead || dp_devices_retiring(gateway.daemon.dp)))
		return;
	for (unsigned i = 0; i < DEVICES; i++)
		if (removed[i].leaves) {
			oracle_forgets(i, removed[i].asks);
			removed[i].leaves = false;
		}
}

void operator_lost(void)
{
	under_way.verb = NONE;
	operator_turn(true);
}

static void trace(const char *what, const struct ctl_request *req)
{
	sim_trace("operator: %s of %s%s", verbs[req->verb],
		req->count ? device_name(req->device[0]) : "all", what);
}

// --- answers ----------------------------------------------------------------------------------

static void succeeded(struct ctl_request *req)
{
	if (gateway.dead || req->verb == NONE)
		return;
	trace(" is done", req);
	for (unsigned i = 0; i < req->count; i++) {
		unsigned device = req->device[i];

		if (req->verb == REMOVE) {
			device_removed(device);
			removed[device].leaves = true;
			removed[device].asks = oracle_asks();
		} else if (req->verb != RESYNC) {
			device_provisioned(device, req->fresh[i]);
		}
	}
	req->verb = NONE;
}

static void failed(struct ctl_request *req, const char *why)
{
	if (gateway.dead || req->verb == NONE)
		return;
	trace(" failed:", req);
	sim_trace("%s", why);
	doubts |= req->count > 0;
	req->verb = NONE;
}

void __wrap_ctl_reply_failed(struct ctl_request *req, int ret, const struct error *error);
void __wrap_ctl_reply_failed(struct ctl_request *req, int ret, const struct error *error)
{
	failed(req, error->text);
}

void __wrap_ctl_request_error(
	struct ctl_request *req, enum ctl_error code, const char *format, ...);
void __wrap_ctl_request_error(struct ctl_request *req, enum ctl_error code, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	failed(req, text);
}

void __wrap_ctl_reply_added(struct ctl_request *req, enum device_outcome outcome, const char *name);
void __wrap_ctl_reply_added(struct ctl_request *req, enum device_outcome outcome, const char *name)
{
	succeeded(req);
}

void __wrap_ctl_request_end(struct ctl_request *req);
void __wrap_ctl_request_end(struct ctl_request *req)
{
	succeeded(req);
}

// At times whoever asked goes away at once.
void __wrap_ctl_request_on_gone(struct ctl_request *req, void (*gone)(void *arg), void *arg);
void __wrap_ctl_request_on_gone(struct ctl_request *req, void (*gone)(void *arg), void *arg)
{
	if (sim.no_faults || !sim_once_in(8))
		return;
	sim_trace("operator: goes away");
	gone(arg);
}

uid_t __wrap_ctl_request_uid(const struct ctl_request *req);
uid_t __wrap_ctl_request_uid(const struct ctl_request *req)
{
	return 0;
}

void __wrap_ctl_request_reply(struct ctl_request *req, struct ctl_writer *body, bool last);
void __wrap_ctl_request_reply(struct ctl_request *req, struct ctl_writer *body, bool last)
{
	if (last)
		succeeded(req);
}

void __wrap_ctl_reply_resynced(
	struct ctl_request *req, const char *name, bool has_mark, uint64_t mark);
void __wrap_ctl_reply_resynced(
	struct ctl_request *req, const char *name, bool has_mark, uint64_t mark)
{
	succeeded(req);
}

void __wrap_ctl_reply_drained(struct ctl_request *req, uint64_t under, uint64_t left);
void __wrap_ctl_reply_drained(struct ctl_request *req, uint64_t under, uint64_t left)
{
	succeeded(req);
}

void __wrap_ctl_reply_imported(struct ctl_request *req, const struct import_report *report);
void __wrap_ctl_reply_imported(struct ctl_request *req, const struct import_report *report)
{
	if (report->bad)
		failed(req, report->bad_row[0].error.text);
	else
		succeeded(req);
}

void __wrap_ctl_import_progress(struct ctl_request *req, const struct import_progress *progress);
void __wrap_ctl_import_progress(struct ctl_request *req, const struct import_progress *progress)
{
}

void __wrap_ctl_list_change(
	struct ctl_request *req, const char *key, const char *change, bool needs_start);
void __wrap_ctl_list_change(
	struct ctl_request *req, const char *key, const char *change, bool needs_start)
{
}

void __wrap_ctl_list_line(struct ctl_request *req, const char *line);
void __wrap_ctl_list_line(struct ctl_request *req, const char *line)
{
}

// --- imports ----------------------------------------------------------------------------------

static void put_hex(FILE *to, const char *name, const uint8_t *bytes, size_t len)
{
	fprintf(to, "\"%s\":\"", name);
	for (size_t i = 0; i < len; i++)
		fprintf(to, "%02x", bytes[i]);
	fprintf(to, "\",");
}

static void put_row(FILE *to, unsigned device, bool fresh)
{
	struct device_spec spec = device_spec(device, fresh);
	const struct osc_params *params = &spec.params;

	fprintf(to, "{\"name\":\"%s\",", device_name(device));
	put_hex(to, "device_id", params->recipient_id, params->recipient_id_len);
	put_hex(to, "gateway_id", params->sender_id, params->sender_id_len);
	put_hex(to, "master_secret", params->secret, params->secret_len);
	if (params->has_id_context)
		put_hex(to, "id_context", params->id_context, params->id_context_len);
	if (spec.has_device_seq)
		fprintf(to, "\"device_seq\":%lu,", spec.device_seq);
	fprintf(to, "\"recovery\":\"%s\",\"own_piv\":\"%s\",\"rederive\":\"%s\",%s}",
		device_recovery_words[spec.recovery], device_own_piv_words[spec.own_piv],
		device_rederive_words[spec.rederive],
		fresh ? "\"never_used\":true" : "\"gateway_seq\":0");
}

static void import(void)
{
	static char text[4096];
	const struct import_options options = {.replace = true};
	FILE *to = fmemopen(text, sizeof(text), "w");

	under_way = (struct ctl_request){.verb = IMPORT};
	fputc('[', to);
	for (unsigned n = 1 + sim_rnd(ROWS); n; n--) {
		unsigned device = taste_device();
		bool twice = false;

		for (unsigned i = 0; i < under_way.count; i++)
			twice |= under_way.device[i] == device;
		if (twice || !device_may_have_keys(device))
			continue;
		bool fresh = sim_rnd(3);

		put_row(to, device, fresh);
		fputc(n > 1 ? ',' : ' ', to);
		device_changes(device);
		under_way.device[under_way.count] = device;
		under_way.fresh[under_way.count++] = fresh;
	}
	fputs("{}]" + (under_way.count > 0 ? 2 : 0), to);
	fclose(to);
	for (char *end = text + strlen(text) - 1; *end == ',' || *end == ' '; end--)
		*end = 0;
	strcat(text, "]");
	trace("", &under_way);
	disk_put(DISK_TOP "/import", text);
	verb_device_import(
		&gateway.daemon, &under_way, open(DISK_TOP "/import", O_RDONLY), &options);
}

// --- verbs ------------------------------------------------------------------------------------

static void reload(void)
{
	const char *file = settings_change();

	sim_trace("operator: the file is %s", file);
	if (sim_once_in(3)) { // as SIGHUP does it
		under_way.verb = NONE;
		reload_begin(&gateway.daemon, NULL, false);
	} else {
		verb_reload(&gateway.daemon, &under_way, sim_once_in(6));
	}
}

static void drain(void)
{
	const struct ctl_drain how = {
		.timeout_s = 1 + sim_rnd(3), .return_s = 1 + sim_rnd(20), .stop = sim_once_in(4)};

	verb_drain(&gateway.daemon, &under_way, &how);
}

// What is stored is as good as gone with the reply, which comes at once.
static void purge(void)
{
	unsigned number = sim_rnd(THINGS + 1);
	enum thing_kind kind = sim_rnd(2) ? THING_OWN : THING_SHARED;
	char path[16] = "";

	if (number != THINGS_ALL)
		snprintf(
			path, sizeof(path), "/%s/%u", kind == THING_OWN ? "own" : "shared", number);
	verb_cache_purge(&gateway.daemon, &under_way, path);
	must(under_way.verb == NONE, "a purge is not done at once");
	things_purged(kind, number);
}

static void call(enum verb verb, unsigned device, bool fresh)
{
	struct daemon *daemon = &gateway.daemon;
	struct device_spec spec;

	if (verb == IMPORT) {
		import();
		return;
	}
	under_way = (struct ctl_request){
		.verb = verb, .count = verb < IMPORT, .device = {device}, .fresh = {fresh}};
	trace(fresh ? " with new keys" : "", &under_way);
	if (under_way.count)
		device_changes(device);
	switch (verb) {
	case ADD:
		spec = device_spec(device, fresh);
		verb_device_add(daemon, &under_way, &spec, true);
		break;
	case REMOVE:
		verb_device_remove(daemon, &under_way, device_name(device));
		break;
	case ROTATE:
		spec = device_spec(device, true);
		spec.name[0] = 0;
		spec.has_recovery = spec.has_own_piv = spec.has_rederive = false;
		verb_device_rotate(daemon, &under_way, device_name(device), &spec);
		break;
	case RESYNC:
		verb_device_resync(daemon, &under_way, device_name(device), false, 0);
		break;
	case RELOAD:
		reload();
		break;
	case DRAIN:
		drain();
		break;
	case PURGE:
		purge();
		break;
	case UNDRAIN:
		verb_undrain(daemon, &under_way);
		break;
	default:
		break;
	}
}

void operator_event(void)
{
	static const enum verb some[] = {REMOVE, REMOVE, ROTATE, ROTATE, ROTATE, RESYNC, RESYNC,
		RESYNC, IMPORT, RELOAD, RELOAD, DRAIN, PURGE};
	unsigned device = taste_device();
	enum verb verb = some[sim_rnd(sizeof(some) / sizeof(some[0]))];

	if (operator_waits() || !gateway.serving || gateway.dead)
		return;
	if (gateway.daemon.drain.begun && sim_rnd(2))
		call(UNDRAIN, 0, false);
	else if (verb < IMPORT && !device_is_there(device))
		call(ADD, device,
			device_may_have_keys(device) && taste.theme != THEME_CLOCK &&
				sim_once_in(2));
	else if (taste.theme == THEME_CLOCK)
		call(REMOVE, device, false);
	else if (taste_verb(verb) &&
		((verb != ROTATE && verb != IMPORT) || device_may_have_keys(device)))
		call(verb, device, verb == ROTATE);
}

bool operator_restores(unsigned device)
{
	if (device_is_there(device) || operator_waits())
		return false;
	call(ADD, device, device_may_have_keys(device));
	return true;
}

// What the gateway loaded.
void operator_looks(void)
{
	const struct registry *registry = &gateway.daemon.registry;
	const struct dp_context_table *table = dp_contexts(gateway.daemon.dp);

	doubts = false;
	for (unsigned d = 0; d < DEVICES; d++) {
		const uint8_t *key = NULL;

		for (uint32_t i = registry_next(registry, 0); i < registry->max;
			i = registry_next(registry, i + 1))
			if (!strcmp(registry->entry[i].name, device_name(d)))
				key = table->context[i].recipient_key;
		device_stored(d, key);
	}
}

void operator_adds(unsigned device)
{
	struct device_spec spec = device_spec(device, false);

	under_way = (struct ctl_request){.verb = ADD, .count = 1, .device = {device}};
	spec.never_used = true;
	spec.has_gateway_seq = spec.has_device_seq = false;
	verb_device_add(&gateway.daemon, &under_way, &spec, true);
}

void operator_settles(void)
{
	if (doubts && !operator_waits() && !gateway.daemon.doubts && !gateway.daemon.disk.failing)
		operator_looks();
	if (gateway.daemon.drain.begun && !operator_waits())
		call(UNDRAIN, 0, false);
}
