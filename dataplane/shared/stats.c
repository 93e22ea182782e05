// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/stats.h"

const struct dp_stat_info dp_stat_infos[DP_STAT_COUNT] = {
#define STAT(id, of, text) [DP_STAT_##id] = {.name = #id, .help = text, .unit = UNIT_##of},
#include "dataplane/shared/stats.def"
};

const struct dp_stat_info dp_stage_infos[DP_STAGE_COUNT] = {
#define STAGE(id, text) [DP_STAGE_##id] = {.name = #id, .help = text},
#include "dataplane/shared/stages.def"
};
