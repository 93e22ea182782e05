// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/document.h"

#include <errno.h>
#include <string.h>

struct conf_mark conf_document_mark(const yaml_mark_t *mark)
{
	return (struct conf_mark){.line = mark->line + 1, .column = mark->column + 1};
}

// Returns line and column of a byte. Columns count characters, like those of libyaml.
static struct conf_mark mark_of_byte(const char *text, size_t len, size_t byte)
{
	struct conf_mark at = {1, 1};

	for (size_t i = 0; i < byte && i < len; i++) {
		if (text[i] == '\n')
			at = (struct conf_mark){at.line + 1, 1};
		else if (((unsigned char)text[i] & 0xc0) != 0x80)
			at.column++;
	}
	return at;
}

// The first byte of the character at a mark, or 0 behind the end.
static char byte_at(const char *text, size_t len, const yaml_mark_t *mark)
{
	size_t index = 0;

	for (size_t i = 0; i < len; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue;
		if (index++ == mark->index)
			return text[i];
	}
	return 0;
}

static int parser_failed(
	const yaml_parser_t *parser, const char *text, size_t len, struct conf_mistakes *mistakes)
{
	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		conf_mistake(mistakes, mark_of_byte(text, len, parser->problem_offset),
			"not a text: %s", parser->problem);
		break;
	default:
		if (byte_at(text, len, &parser->problem_mark) == '\t') {
			conf_mistake(mistakes, conf_document_mark(&parser->problem_mark),
				"not YAML: a tab; lines are indented with spaces");
			break;
		}
		conf_mistake(mistakes, conf_document_mark(&parser->problem_mark),
			"not YAML: %s%s%s", parser->problem, parser->context ? " " : "",
			parser->context ? parser->context : "");
		break;
	}
	return -EINVAL;
}

static void parser_start(yaml_parser_t *parser, const char *text, size_t len)
{
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
}

struct shape {
	unsigned depth;
	unsigned nodes;
	unsigned documents;
};

// Whether the walk over the events may go on after this one.
static bool event_check(const yaml_event_t *event, struct shape *shape, struct conf_mistakes *m)
{
	struct conf_mark at = conf_document_mark(&event->start_mark);
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++shape->documents > 1) {
			conf_mistake(m, at, "a second document; a configuration is one document");
			return false;
		}
		return true;
	case YAML_ALIAS_EVENT:
		conf_mistake(m, at, "an alias (*); anchors and aliases cannot be used here");
		return true;
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
			conf_mistake(m, at, "a word with a NUL character in it");
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		shape->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		shape->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		shape->depth--;
		return true;
	default:
		return true;
	}
	if (anchor)
		conf_mistake(m, at, "an anchor (&); anchors and aliases cannot be used here");
	if (tag)
		conf_mistake(m, at, "a tag (!); tags cannot be used here");
	if (shape->depth > CONF_DEPTH_MAX) {
		conf_mistake(
			m, at, "more than %d lists and maps inside each other", CONF_DEPTH_MAX);
		return false;
	}
	if (++shape->nodes > CONF_VALUES_MAX) {
		conf_mistake(m, at, "more than %d words, lists and maps", CONF_VALUES_MAX);
		return false;
	}
	return true;
}

// Checks the limits on the events of the parser, before memory is allocated for a document.
static int shape_check(const char *text, size_t len, struct conf_mistakes *mistakes)
{
	yaml_parser_t parser;
	struct shape shape = {0};
	bool more = true;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	parser_start(&parser, text, len);
	while (more && rc == 0) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			rc = parser_failed(&parser, text, len, mistakes);
			break;
		}
		more = event_check(&event, &shape, mistakes) && event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (rc == 0 && mistakes->count)
		rc = -EINVAL;
	return rc;
}

// Skips a byte order mark: if the encoding is set, libyaml reads it as a word of the document.
static void mark_skip(const char **text, size_t *len)
{
	static const char mark[] = "\xef\xbb\xbf";
	const size_t mark_len = sizeof(mark) - 1;

	if (*len < mark_len || memcmp(*text, mark, mark_len))
		return;
	*text += mark_len;
	*len -= mark_len;
}

int conf_document_load(
	yaml_document_t *doc, const char *text, size_t len, struct conf_mistakes *mistakes)
{
	yaml_parser_t parser;
	int rc;

	mark_skip(&text, &len);
	rc = shape_check(text, len, mistakes);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	parser_start(&parser, text, len);
	if (!yaml_parser_load(&parser, doc)) {
		rc = parser_failed(&parser, text, len, mistakes);
	} else if (!yaml_document_get_root_node(doc)) {
		conf_mistake(mistakes, (struct conf_mark){1, 1}, "the file is empty");
		yaml_document_delete(doc);
		rc = -EINVAL;
	}
	yaml_parser_delete(&parser);
	return rc;
}
