// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/operator.h"

#include "gw/daemon/device_verbs.h"
#include "tests/sim/device.h"
#include "tests/sim/disk.h"
#include "tests/sim/gateway.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A verb failed: if it was because of the disk, what it was to do may be there.
static bool doubts;
static const char *const verbs[] = {"none", "add", "remove", "rotate", "resync"};

static struct ctl_request {
	enum { NONE, ADD, REMOVE, ROTATE, RESYNC } verb;
	unsigned device;
	bool fresh;
} under_way;

void operator_begin(void)
{
	under_way.verb = NONE;
	doubts = false;
}

bool operator_waits(void)
{
	return under_way.verb != NONE;
}

void operator_lost(void)
{
	under_way.verb = NONE;
}

// --- answers ----------------------------------------------------------------------------------

static void succeeded(struct ctl_request *req)
{
	if (gateway.dead || req->verb == NONE)
		return;
	sim_trace("operator: %s of %s is done", verbs[req->verb], device_name(req->device));
	switch (req->verb) {
	case ADD:
	case ROTATE:
		device_provisioned(req->device, req->fresh);
		break;
	case REMOVE:
		device_removed(req->device);
		break;
	default:
		break;
	}
	req->verb = NONE;
}

static void failed(struct ctl_request *req, const char *why)
{
	if (gateway.dead || req->verb == NONE)
		return;
	sim_trace("operator: %s of %s failed: %s", verbs[req->verb], device_name(req->device), why);
	doubts = true;
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

void __wrap_ctl_reply_resynced(
	struct ctl_request *req, const char *name, bool has_mark, uint64_t mark);
void __wrap_ctl_reply_resynced(
	struct ctl_request *req, const char *name, bool has_mark, uint64_t mark)
{
	succeeded(req);
}

// --- verbs ------------------------------------------------------------------------------------

static void call(unsigned verb, unsigned device, bool fresh)
{
	struct daemon *daemon = &gateway.daemon;
	struct device_spec spec;

	under_way = (struct ctl_request){.verb = verb, .device = device, .fresh = fresh};
	sim_trace("operator: %s of %s%s", verbs[verb], device_name(device),
		fresh ? " with new keys" : "");
	switch (under_way.verb) {
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
		spec.has_recovery = spec.has_own_piv = false;
		verb_device_rotate(daemon, &under_way, device_name(device), &spec);
		break;
	case RESYNC:
		verb_device_resync(daemon, &under_way, device_name(device), false, 0);
		break;
	case NONE:
		break;
	}
}

void operator_event(void)
{
	unsigned device = sim_rnd(DEVICES);

	if (operator_waits() || !gateway.serving || gateway.dead)
		return;
	if (!device_is_there(device))
		call(ADD, device, device_may_have_keys(device) && sim_once_in(2));
	else if (sim_once_in(3))
		call(RESYNC, device, false);
	else if (sim_once_in(2))
		call(REMOVE, device, false);
	else if (device_may_have_keys(device))
		call(ROTATE, device, true);
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

	under_way = (struct ctl_request){.verb = ADD, .device = device};
	spec.never_used = true;
	spec.has_gateway_seq = spec.has_device_seq = false;
	verb_device_add(&gateway.daemon, &under_way, &spec, true);
}

void operator_settles(void)
{
	if (doubts && !operator_waits() && !gateway.daemon.doubts && !gateway.daemon.disk.failing)
		operator_looks();
}
