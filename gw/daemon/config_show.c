// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/config_show.h"

#include "gw/conf/show.h"
#include "gw/os/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- config show

// All that is to be sent, made at once: a reload frees the configuration. A record is a byte of
// flags and two strings.
struct showing {
	char *text;
	size_t len, at;
	// While it is made:
	FILE *out;
	bool effective;
};

#define GIVEN    1
#define OF_START 2

static void note(void *arg, const struct conf_shown *shown)
{
	const struct showing *showing = arg;
	const int flags =
		(shown->given ? GIVEN : 0) | (shown->effect == CONF_AT_START ? OF_START : 0);

	if (shown->given || showing->effective)
		fprintf(showing->out, "%c%s%c%s%c", 'A' + flags, shown->key, 0, shown->value, 0);
}

static bool next(void *arg, struct ctl_request *req)
{
	struct showing *showing = arg;
	struct ctl_writer body;

	if (showing->at == showing->len)
		return false;
	const char *key = showing->text + showing->at + 1, *value = key + strlen(key) + 1;
	const int flags = showing->text[showing->at] - 'A';

	showing->at = (size_t)(value + strlen(value) + 1 - showing->text);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "key", key);
	ctl_put_text(&body, "value", value);
	ctl_put_bool(&body, "default", !(flags & GIVEN));
	ctl_put_text(&body, "effect", flags & OF_START ? "start" : "reload");
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
	return true;
}

static void done(void *arg)
{
	struct showing *showing = arg;

	free(showing->text);
	free(showing);
}

void verb_config_show(void *arg, struct ctl_request *req, bool effective)
{
	static const struct ctl_stream stream = {.next = next, .done = done};
	const struct daemon *daemon = arg;
	struct showing *showing = calloc(1, sizeof(*showing));

	if (showing)
		showing->out = open_memstream(&showing->text, &showing->len);
	if (!showing || !showing->out) {
		free(showing);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	showing->effective = effective;
	conf_show(daemon->snapshot->conf, note, showing);
	const bool bad = ferror(showing->out);

	if (fclose(showing->out) || bad) {
		done(showing);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	ctl_request_stream(req, &stream, showing);
}

// ---- log level

static const struct {
	const char *word;
	enum conf_log_level level;
} levels[] = {
	{"error", CONF_LOG_ERROR},
	{"warning", CONF_LOG_WARNING},
	{"notice", CONF_LOG_NOTICE},
	{"info", CONF_LOG_INFO},
	{"debug", CONF_LOG_DEBUG},
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static const char *level_word(enum conf_log_level level)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (levels[i].level == level)
			return levels[i].word;
	return NULL;
}

// Says it in the log whatever the levels are: who reads that later sees why there is more or less.
static void level_change(struct ctl_request *req, const char *word, enum conf_log_level level)
{
	if (log_level_get() < CONF_LOG_NOTICE)
		log_level_set(CONF_LOG_NOTICE);
	log_notice("uid %" PRIdMAX " set the log level to %s, until a reload or restart",
		(intmax_t)ctl_request_uid(req), word);
	log_level_set(level);
}

void verb_log_level(void *arg, struct ctl_request *req, const char *word)
{
	const struct daemon *daemon = arg;
	struct ctl_writer body;
	size_t i = 0;

	while (word[0] && i < LEVELS && strcmp(word, levels[i].word))
		i++;
	if (i == LEVELS) {
		ctl_request_error(
			req, CTL_BAD_REQUEST, "level: error, warning, notice, info or debug");
		return;
	}
	if (word[0])
		level_change(req, word, levels[i].level);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "level", level_word(log_level_get()));
	ctl_put_text(&body, "configured", level_word(daemon->snapshot->conf->log.level));
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}
