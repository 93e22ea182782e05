// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/events.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DATA_LEAST 512   // bytes of the smallest memory
#define DATA_KEPT  16384 // of the largest that stays for the next event

static const uint8_t bom[] = {0xef, 0xbb, 0xbf};

// ---- the data of an event

// Makes room for so many bytes in all. false: they are too many, or there is no memory.
static bool data_grow(struct http_events *e, size_t need)
{
	size_t room = e->data_room ? e->data_room : DATA_LEAST;

	if (need > e->data_max + 1) // the last LF is none of it
		return false;
	if (need <= e->data_room)
		return true;
	while (room < need)
		room *= 2;
	if (room > e->data_max + 1)
		room = e->data_max + 1;
	uint8_t *data = malloc(room);

	if (!data)
		return false;
	if (e->data) {
		memcpy(data, e->data, e->data_len);
		explicit_bzero(e->data, e->data_room);
		free(e->data);
	}
	e->data = data;
	e->data_room = room;
	return true;
}

static void data_drop(struct http_events *e)
{
	if (e->data)
		explicit_bzero(e->data, e->data_room);
	free(e->data);
	e->data = NULL;
	e->data_len = e->data_room = 0;
}

static void data_add(struct http_events *e, const uint8_t *bytes, size_t len)
{
	if (e->over || !len)
		return;
	if (!data_grow(e, e->data_len + len)) {
		e->over = true;
		data_drop(e);
		return;
	}
	memcpy(e->data + e->data_len, bytes, len);
	e->data_len += len;
}

// An empty line: the event is whole.
static void dispatch(struct http_events *e)
{
	memcpy(e->id, e->new_id, sizeof(e->id));
	if (e->over) {
		e->left_out++;
	} else if (e->data_len) {
		bool named = e->name_len && e->name_len <= HTTP_EVENT_NAME_MAX;

		e->name[named ? e->name_len : 0] = 0;
		const struct http_event event = {
			.name = e->name_len ? e->name : "message",
			.data = e->data,
			.len = e->data_len - 1,
		};

		e->tell(e->arg, &event);
	}
	e->over = false;
	e->name_len = 0;
	e->data_len = 0;
	if (e->data_room > DATA_KEPT)
		data_drop(e);
}

// ---- lines

static enum http_events_field field_of(const struct http_events *e)
{
	static const struct {
		const char *name;
		enum http_events_field is;
	} known[] = {{"event", HTTP_EVENTS_EVENT}, {"data", HTTP_EVENTS_DATA},
		{"id", HTTP_EVENTS_ID}, {"retry", HTTP_EVENTS_RETRY}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == e->field_len &&
			!memcmp(e->field, known[i].name, e->field_len))
			return known[i].is;
	return HTTP_EVENTS_UNKNOWN;
}

// The name of a field is whole: what it is to have begins.
static void value_begin(struct http_events *e)
{
	e->is = field_of(e);
	e->in_value = true;
	e->value_begun = false;
	if (e->is == HTTP_EVENTS_EVENT)
		e->name_len = 0;
	e->next_id_len = 0;
	e->next_id_bad = false;
	e->number = 0;
	e->number_bad = true; // until a digit comes
}

static void name_put(struct http_events *e, const uint8_t *bytes, size_t len)
{
	size_t room = e->name_len < HTTP_EVENT_NAME_MAX ? HTTP_EVENT_NAME_MAX - e->name_len : 0;

	memcpy(e->name + (e->name_len < HTTP_EVENT_NAME_MAX ? e->name_len : 0), bytes,
		len < room ? len : room);
	e->name_len += len;
	if (memchr(bytes, 0, len))
		e->name_len += HTTP_EVENT_NAME_MAX + 1;
}

static void id_put(struct http_events *e, const uint8_t *bytes, size_t len)
{
	size_t room = e->next_id_len < HTTP_EVENT_ID_MAX ? HTTP_EVENT_ID_MAX - e->next_id_len : 0;

	e->next_id_bad |= memchr(bytes, 0, len) != NULL;
	memcpy(e->next_id + (e->next_id_len < HTTP_EVENT_ID_MAX ? e->next_id_len : 0), bytes,
		len < room ? len : room);
	e->next_id_len += len;
}

static void number_put(struct http_events *e, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] < '0' || bytes[i] > '9') {
			e->number_bad = true;
			e->number = UINT64_MAX; // no digit that comes makes it good
			return;
		}
		if (e->number == UINT64_MAX)
			return;
		e->number_bad = false;
		e->number = e->number > UINT32_MAX ? e->number : e->number * 10 + (bytes[i] - '0');
	}
}

static void value_put(struct http_events *e, const uint8_t *bytes, size_t len)
{
	if (!e->value_begun && *bytes == ' ') {
		bytes++;
		len--;
	}
	e->value_begun = true;
	if (!len)
		return;
	if (e->is == HTTP_EVENTS_DATA)
		data_add(e, bytes, len);
	else if (e->is == HTTP_EVENTS_EVENT)
		name_put(e, bytes, len);
	else if (e->is == HTTP_EVENTS_ID)
		id_put(e, bytes, len);
	else if (e->is == HTTP_EVENTS_RETRY)
		number_put(e, bytes, len);
}

// The value of a field is whole.
static void value_end(struct http_events *e)
{
	bool fits = e->next_id_len <= HTTP_EVENT_ID_MAX;

	if (e->is == HTTP_EVENTS_DATA) {
		data_add(e, (const uint8_t *)"\n", 1);
	} else if (e->is == HTTP_EVENTS_ID && !e->next_id_bad) {
		memcpy(e->new_id, e->next_id, fits ? e->next_id_len : 0);
		e->new_id[fits ? e->next_id_len : 0] = 0;
	} else if (e->is == HTTP_EVENTS_RETRY && !e->number_bad) {
		e->retry_said = true;
		e->retry_ms = e->number > UINT32_MAX ? UINT32_MAX : (uint32_t)e->number;
	}
}

static void line_end(struct http_events *e)
{
	if (!e->has_name) {
		dispatch(e);
		return;
	}
	if (!e->in_value) // a field without colon
		value_begin(e);
	value_end(e);
	e->has_name = e->in_value = false;
	e->field_len = 0;
}

// Takes the part of a line that stands at bytes, which have no line end.
static void line_put(struct http_events *e, const uint8_t *bytes, size_t len)
{
	if (!len)
		return;
	e->has_name = true;
	if (e->in_value) {
		value_put(e, bytes, len);
		return;
	}
	const uint8_t *colon = memchr(bytes, ':', len);
	size_t n = colon ? (size_t)(colon - bytes) : len;
	size_t room = sizeof(e->field) -
		(e->field_len < sizeof(e->field) ? e->field_len : sizeof(e->field));

	if (room)
		memcpy(e->field + e->field_len, bytes, n < room ? n : room);
	e->field_len += n < sizeof(e->field) ? (unsigned)n : (unsigned)sizeof(e->field);
	if (e->field_len > sizeof(e->field))
		e->field_len = sizeof(e->field); // longer than any that is known
	if (!colon)
		return;
	value_begin(e);
	if (n + 1 < len)
		value_put(e, colon + 1, len - n - 1);
}

// One byte order mark in front of all is left out. Returns how many bytes were of it; those that
// looked like one, and were none, are taken here.
static size_t bom_take(struct http_events *e, const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (e->bom < sizeof(bom) && n < len && bytes[n] == bom[e->bom]) {
		e->bom++;
		n++;
	}
	if (e->bom < sizeof(bom) && n < len) {
		line_put(e, bom, e->bom);
		e->bom = sizeof(bom);
	}
	return n;
}

void http_events_take(struct http_events *e, const void *data, size_t len)
{
	const uint8_t *at = data, *end = at + len;

	at += bom_take(e, at, len);
	while (at < end) {
		if (e->cr && *at == '\n') {
			e->cr = false;
			at++;
			continue;
		}
		e->cr = false;
		const uint8_t *stop = at;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		line_put(e, at, (size_t)(stop - at));
		if (stop == end)
			return;
		e->cr = *stop == '\r';
		line_end(e);
		at = stop + 1;
	}
}

// The standard has the id begin empty with each connection, which would lose the place of a stream
// that names few of its events; browsers keep it.
void http_events_start(struct http_events *e)
{
	e->bom = 0;
	e->cr = e->in_value = e->has_name = e->over = false;
	e->field_len = 0;
	e->name_len = 0;
	e->data_len = 0;
	memcpy(e->new_id, e->id, sizeof(e->new_id));
}

void http_events_end(struct http_events *e)
{
	data_drop(e);
	explicit_bzero(e->name, sizeof(e->name));
	explicit_bzero(e->next_id, sizeof(e->next_id));
}

bool http_events_are(const char *type)
{
	static const char name[] = "text/event-stream";
	size_t len = sizeof(name) - 1;

	if (!type || strncasecmp(type, name, len))
		return false;
	type += len + strspn(type + len, " \t");
	return !*type || *type == ';';
}
