// SPDX-License-Identifier: BSD-3-Clause
// The configuration for other eyes: the same YAML without comments, and without the values that are
// secrets: those of headers, and what is behind the ? of a health check's path.

#include "gw/conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define HIDDEN      "(hidden)"
#define PATH_LENGTH 1024 // of a path that is shown

// Where the parser is in the file.
struct place {
	unsigned depth; // of maps and lists
	// Of each depth: whether it is a map, whether what comes next there is a key, whether it is
	// a map of headers, and whether the last key there was "text".
	bool map[CONF_DEPTH_MAX + 2], key[CONF_DEPTH_MAX + 2], headers[CONF_DEPTH_MAX + 2],
		text[CONF_DEPTH_MAX + 2];
};

// A value at this place was begun or seen: in a map a key follows, or its value.
static void step(struct place *place)
{
	if (place->map[place->depth])
		place->key[place->depth] = !place->key[place->depth];
}

static void enter(struct place *place, bool map)
{
	const bool list = !place->map[place->depth];

	step(place);
	place->depth++;
	place->map[place->depth] = place->key[place->depth] = map;
	if (list)
		place->headers[place->depth] = false;
}

// Looks at a scalar. Returns whether it is the value of a header, or the text in {text: TEXT},
// which is one deeper; {file: PATH} is no secret. Nothing but a header has a key "text".
static bool is_hidden(struct place *place, const yaml_event_t *event)
{
	const bool key = place->map[place->depth] && place->key[place->depth];
	const char *text = (const char *)event->data.scalar.value;

	if (key) {
		place->headers[place->depth + 1] = !strcmp(text, "headers");
		place->text[place->depth] = !strcmp(text, "text");
	}
	step(place);
	return !key &&
		(place->headers[place->depth] ||
			(place->map[place->depth] && place->text[place->depth]));
}

// Writes another scalar in the place of an event, which is used up.
static bool put_instead(yaml_event_t *event, const char *text, yaml_emitter_t *emitter)
{
	yaml_event_t shown;
	const bool made = yaml_scalar_event_initialize(&shown, NULL, NULL, (yaml_char_t *)text,
		(int)strlen(text), 1, 1, YAML_PLAIN_SCALAR_STYLE);

	yaml_event_delete(event);
	return made && yaml_emitter_emit(emitter, &shown);
}

static bool scalar_pass_on(struct place *place, yaml_event_t *event, yaml_emitter_t *emitter)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *query = text[0] == '/' ? strchr(text, '?') : NULL;
	char path[PATH_LENGTH + sizeof("?" HIDDEN)];

	if (is_hidden(place, event))
		return put_instead(event, HIDDEN, emitter);
	if (!query)
		return yaml_emitter_emit(emitter, event);
	snprintf(path, sizeof(path), "%.*s?" HIDDEN,
		(int)(query - text < PATH_LENGTH ? query - text : PATH_LENGTH), text);
	return put_instead(event, path, emitter);
}

// Writes one event on. False if it cannot be written; the event is used up either way.
static bool pass_on(struct place *place, yaml_event_t *event, yaml_emitter_t *emitter)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (place->depth >= CONF_DEPTH_MAX) {
			yaml_event_delete(event);
			return false;
		}
		enter(place, event->type == YAML_MAPPING_START_EVENT);
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		place->depth--;
		break;
	case YAML_SCALAR_EVENT:
		return scalar_pass_on(place, event, emitter);
	default:
		break;
	}
	return yaml_emitter_emit(emitter, event); // which takes the event
}

static int redact(FILE *in, FILE *out)
{
	struct place place = {0};
	yaml_parser_t parser;
	yaml_emitter_t emitter;
	bool good = true, end = false;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	if (!yaml_emitter_initialize(&emitter)) {
		yaml_parser_delete(&parser);
		return -ENOMEM;
	}
	yaml_parser_set_input_file(&parser, in);
	yaml_emitter_set_output_file(&emitter, out);
	while (good && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event))
			break;
		end = event.type == YAML_STREAM_END_EVENT;
		good = pass_on(&place, &event, &emitter);
	}
	yaml_emitter_delete(&emitter);
	yaml_parser_delete(&parser);
	return good && end ? 0 : -EINVAL;
}

int conf_print_redacted(const struct conf *conf, FILE *out)
{
	FILE *in = fopen(conf->path, "re");

	if (!in)
		return -errno;
	int rc = redact(in, out);

	fclose(in);
	return rc;
}
