// SPDX-License-Identifier: BSD-3-Clause
// The security context of a device from a JSON file.

#ifndef POSTERN_GW_TOOLS_COAP_CONTEXT_FILE_H
#define POSTERN_GW_TOOLS_COAP_CONTEXT_FILE_H

#include "base/error.h"
#include "dataplane/oscore/context.h"

#include <jansson.h>
#include <stdbool.h>

struct client_context {
	struct osc_params params;
	struct osc_keys keys;
	bool group_may_read; // worth a warning
};

// Reads one JSON object, which docs/postern-coap.1.scd describes. A key that is not known, is there
// twice or has the wrong type is an error, and so is a file that all users can read or write.
// Returns 0 or -errno. The caller wipes *context, also after a failure.
int context_file_load(struct client_context *context, const char *path, struct error *f)
	__attribute__((warn_unused_result));
// The same from an object that was read; takes its keys out of it.
int context_take(struct client_context *context, json_t *object, struct error *f)
	__attribute__((warn_unused_result));
void context_wipe(struct client_context *context);

#endif
