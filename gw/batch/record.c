// SPDX-License-Identifier: BSD-3-Clause

#include "gw/batch/record.h"

#include "gw/batch/writers.h"

#define AROUND(before_, between_, after_)                                              \
	.before = (before_), .before_len = sizeof(before_) - 1, .between = (between_), \
	.between_len = sizeof(between_) - 1, .after = (after_), .after_len = sizeof(after_) - 1

// `between` has room for the end of one half and the beginning of the other.
static const struct batch_form forms[] = {
	[CONF_BATCH_CLOUDEVENTS] = {.content_type = "application/cloudevents-batch+json",
		AROUND("[", ",\n", "]"),
		.cut = true},
	[CONF_BATCH_NDJSON] = {.content_type = "application/x-ndjson",
		AROUND("", "\n", "\n"),
		.cut = true},
	[CONF_BATCH_CBOR_SEQ] = {.content_type = "application/cbor-seq",
		AROUND("", "", ""),
		.cut = true},
	[CONF_BATCH_ES_BULK] = {.content_type = "application/x-ndjson",
		AROUND("", "\n", "\n"),
		.cut = true,
		.results = true,
		.exists_ok = true},
	[CONF_BATCH_INFLUX] = {.content_type = "text/plain; charset=utf-8", AROUND("", "\n", "\n")},
};

static const struct {
	void (*way_put)(
		struct http_text *text, struct batch_way *way, const struct batch_source *s);
	enum batch_put (*record_put)(const struct batch_way *way,
		const struct batch_reading *reading, uint8_t *at, size_t room, size_t *len);
} writers[] = {
	[CONF_BATCH_CLOUDEVENTS] = {event_way_put, event_put},
	[CONF_BATCH_NDJSON] = {event_way_put, event_put},
	[CONF_BATCH_CBOR_SEQ] = {cbor_way_put, cbor_put},
	[CONF_BATCH_ES_BULK] = {event_way_put, event_put},
	[CONF_BATCH_INFLUX] = {influx_way_put, influx_put},
};

const struct batch_form *batch_form_of(enum conf_batch_format format)
{
	return &forms[format];
}

bool batch_way_make(struct batch_way *way, size_t room, const struct batch_source *source)
{
	struct http_text text;

	*way = (struct batch_way){.format = source->format,
		.fingerprint = source->fingerprint,
		.content_format = source->content_format};
	room -= sizeof(*way);
	http_text_init(&text, (char *)way->bytes, room < BATCH_WAY_ROOM ? room : BATCH_WAY_ROOM);
	writers[source->format].way_put(&text, way, source);
	way->all_len = (uint16_t)(text.at - (char *)way->bytes);
	return !text.failed;
}

enum batch_put batch_record_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len)
{
	return writers[way->format].record_put(way, reading, at, room, len);
}
