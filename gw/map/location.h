// SPDX-License-Identifier: BSD-3-Clause
// Location of a 201 to Location-Path and Location-Query (RFC 7252 section 5.10.7).

#ifndef POSTERN_GW_MAP_LOCATION_H
#define POSTERN_GW_MAP_LOCATION_H

#include "gw/map/request.h"

#define MAP_LOCATION_PARTS 64   // segments, and as many arguments of the query
#define MAP_LOCATION_ROOM  2048 // bytes of all of them, decoded
#define MAP_LOCATION_LEN   255  // bytes of one option

struct map_location_part {
	const uint8_t *bytes;
	uint16_t len;
};

struct map_location {
	struct map_location_part path[MAP_LOCATION_PARTS];
	struct map_location_part query[MAP_LOCATION_PARTS];
	unsigned path_count;
	unsigned query_count;
	uint8_t room[MAP_LOCATION_ROOM];
};

// Resolves the value against the request's URL and turns the path of the server back into the path
// that the device sees: base and prefix go, the segments that the route cut off come back. false if
// the value is malformed, names another authority or what the device cannot reach on this route.
bool map_location_parse(struct map_location *location, const char *value,
	const struct map_request *msg, const struct conf_server *server);

#endif
