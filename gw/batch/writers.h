// SPDX-License-Identifier: BSD-3-Clause
// The writers of the formats. Private to this folder.

#ifndef POSTERN_GW_BATCH_WRITERS_H
#define POSTERN_GW_BATCH_WRITERS_H

#include "gw/batch/record.h"
#include "gw/http/text.h"

// CloudEvents, one in an array, one a line, or behind a line of Elasticsearch's.
void event_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s);
enum batch_put event_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len);
// A CBOR sequence (RFC 8742).
void cbor_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s);
enum batch_put cbor_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len);
// Lines of InfluxDB, from SenML (RFC 8428).
void influx_way_put(struct http_text *text, struct batch_way *way, const struct batch_source *s);
enum batch_put influx_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len);

#endif
