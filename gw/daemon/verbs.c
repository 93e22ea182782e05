// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/verbs.h"

#include "gw/daemon/cache_verbs.h"
#include "gw/daemon/capture.h"
#include "gw/daemon/config_show.h"
#include "gw/daemon/device_verbs.h"
#include "gw/daemon/drain.h"
#include "gw/daemon/edhoc_verbs.h"
#include "gw/daemon/import_verb.h"
#include "gw/daemon/observe_verbs.h"
#include "gw/daemon/push.h"
#include "gw/daemon/refused.h"
#include "gw/daemon/reload.h"
#include "gw/daemon/stats.h"
#include "gw/daemon/status.h"
#include "gw/daemon/store_verbs.h"
#include "gw/daemon/trace.h"
#include "gw/daemon/upstream_verbs.h"
#include "gw/os/log.h"

static void verb_shutdown(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	log_notice("uid %ju asks for a shutdown", (uintmax_t)ctl_request_uid(req));
	ctl_request_end(req);
	drain_to_stop(daemon);
}

void verbs_init(struct daemon *daemon)
{
	daemon->ops = (struct ctl_ops){
		.status = verb_status,
		.stats = verb_stats,
		.device_add = verb_device_add,
		.device_import = verb_device_import,
		.device_list = verb_device_list,
		.device_show = verb_device_show,
		.device_remove = verb_device_remove,
		.device_resync = verb_device_resync,
		.device_rotate = verb_device_rotate,
		.store_check = verb_store_check,
		.store_backup = verb_store_backup,
		.tombstone_list = verb_tombstone_list,
		.key_rotate = verb_key_rotate,
		.upstream_show = verb_upstream_show,
		.server_order = verb_server_order,
		.capture = verb_capture,
		.reload = verb_reload,
		.config_diff = verb_config_diff,
		.config_show = verb_config_show,
		.log_level = verb_log_level,
		.cache_show = verb_cache_show,
		.cache_purge = verb_cache_purge,
		.observe_list = verb_observe_list,
		.observe_cancel = verb_observe_cancel,
		.observe_push = verb_observe_push,
		.edhoc_identity = verb_edhoc_identity,
		.edhoc_sessions = verb_edhoc_sessions,
		.edhoc_end = verb_edhoc_end,
		.drain = verb_drain,
		.undrain = verb_undrain,
		.trace = verb_trace,
		.show_refused = verb_show_refused,
		.shutdown = verb_shutdown,
		.arg = daemon,
	};
}
