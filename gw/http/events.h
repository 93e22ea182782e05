// SPDX-License-Identifier: BSD-3-Clause
// Reads an event stream (text/event-stream) as the HTML standard has it: section 9.2.6,
// "Interpreting an event stream". It takes what came, however it is cut, and tells each event as
// soon as the empty line behind it is there. No I/O.
//
// It differs from a browser in what it refuses: an event whose data is larger than data_max, or for
// which there is no memory, is left out and counted, and goes on behind it.

#ifndef POSTERN_GW_HTTP_EVENTS_H
#define POSTERN_GW_HTTP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_EVENT_NAME_MAX 63  // bytes of an event's type
#define HTTP_EVENT_ID_MAX   255 // bytes of an id; a longer one is taken for an empty one

struct http_event {
	const char *name;    // its type; "message" if the stream says none, "" if it is too long or
			     // has a NUL
	const uint8_t *data; // lines with LF between them, whatever bytes
	size_t len;
};

// What a line begins with: the name of a field, which is known or not.
enum http_events_field {
	HTTP_EVENTS_UNKNOWN, // a comment, too
	HTTP_EVENTS_EVENT,
	HTTP_EVENTS_DATA,
	HTTP_EVENTS_ID,
	HTTP_EVENTS_RETRY,
};

struct http_events {
	// Set by the caller.
	size_t data_max; // bytes of the largest event
	void (*tell)(void *arg, const struct http_event *event);
	void *arg;
	// What the stream said; all but `retry` is 0 at its start.
	char id[HTTP_EVENT_ID_MAX + 1]; // of the last event, for Last-Event-ID; "" for none
	bool retry_said;
	uint32_t retry_ms; // how long to wait before the next connection, as said last
	uint64_t left_out; // events that were too large
	// Its own.
	unsigned bom;              // bytes of a byte order mark that came; 3: no more of it
	bool cr;                   // a CR came last: an LF is part of that line end
	bool in_value;             // behind the colon
	bool value_begun;          // a byte of the value came, or the one blank before it
	bool has_name;             // a byte of the line came
	unsigned field_len;        // bytes of the name so far
	char field[8];             // as many as a known one has, and more
	enum http_events_field is; // once it is known
	char name[HTTP_EVENT_NAME_MAX + 1];
	size_t name_len;                     // above the room: too long
	char next_id[HTTP_EVENT_ID_MAX + 1]; // of a line that is not whole
	size_t next_id_len;
	char new_id[HTTP_EVENT_ID_MAX + 1]; // of the event that is not whole
	bool next_id_bad;                   // has a NUL
	uint64_t number;                    // of a retry line
	bool number_bad;
	uint8_t *data;
	size_t data_len, data_room;
	bool over; // the event is too large
};

// Begins a stream; `id` stays what it was, as this may be the next connection of the same.
void http_events_start(struct http_events *events);
// Wipes and frees what it holds.
void http_events_end(struct http_events *events);
// Takes what came. What stands behind the last empty line when the stream ends is no event.
void http_events_take(struct http_events *events, const void *data, size_t len);

// Whether a Content-Type is text/event-stream. NULL is not.
bool http_events_are(const char *content_type);

#endif
