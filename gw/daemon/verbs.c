// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/verbs.h"

#include "gw/daemon/counters.h"
#include "gw/daemon/device_verbs.h"
#include "gw/daemon/import_verb.h"
#include "gw/daemon/status.h"
#include "gw/daemon/store_verbs.h"
#include "gw/os/log.h"

static void operation_shutdown(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	ctl_request_end(req);
	log_notice("shutdown asked for at the control socket");
	daemon->stopping = true;
}

void operations_init(struct daemon *daemon)
{
	daemon->ops = (struct ctl_ops){
		.status = operation_status,
		.stats = operation_stats,
		.device_add = operation_add,
		.device_import = operation_import,
		.device_list = operation_list,
		.device_show = operation_show,
		.device_remove = operation_remove,
		.device_resync = operation_resync,
		.device_rotate = operation_rotate,
		.store_check = operation_store_check,
		.store_backup = operation_store_backup,
		.shutdown = operation_shutdown,
		.arg = daemon,
	};
}
