// SPDX-License-Identifier: BSD-3-Clause
// The file that ties kept replay windows to the clean stop that wrote them.

#ifndef POSTERN_GW_STORE_WINDOW_H
#define POSTERN_GW_STORE_WINDOW_H

#define STORE_TOKEN "run.token" // in the runtime directory

#endif
