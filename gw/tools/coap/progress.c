// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

#define SHOW_NS 100000000

const char *progress_text(char text[PROGRESS_LEN], const struct transfer *t, double seconds)
{
	size_t done = t->receiving || t->body_len ? t->body_len : t->sent;
	size_t all = t->receiving || t->body_len ? t->size : t->payload_len;
	const char *verb = t->receiving || t->body_len ? "received" : "sent";
	double rate = seconds > 0 ? (double)(t->sent + t->body_len) / seconds : 0;
	char percent[16] = "";

	if (all >= done && all)
		snprintf(percent, sizeof(percent), ", %u %%",
			(unsigned)(100 * (uint64_t)done / all));
	if (rate >= 1e6)
		snprintf(text, PROGRESS_LEN, "%zu bytes %s, %.1f MB/s%s", done, verb, rate / 1e6,
			percent);
	else
		snprintf(text, PROGRESS_LEN, "%zu bytes %s, %.1f kB/s%s", done, verb, rate / 1e3,
			percent);
	return text;
}

void progress_show(struct progress *p, const struct transfer *t, bool last)
{
	uint64_t now = clock_ns();
	char text[PROGRESS_LEN];

	if (!p->start_ns)
		p->start_ns = now;
	if (!p->wanted || (last && !p->shown) || (!last && now - p->shown_ns < SHOW_NS) ||
		!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s\033[K", progress_text(text, t, (double)(now - p->start_ns) / 1e9));
	p->shown = true;
	p->shown_ns = now;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputc('\n', stderr);
	p->shown = false;
}
