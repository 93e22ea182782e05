// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <unistd.h>

static const double percentiles[] = {50, 75, 90, 99, 99.9, 99.99};
static const char *const percentile_names[] = {"p50", "p75", "p90", "p99", "p99_9", "p99_99"};
#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static double per_second(const struct load_run *run, uint64_t count)
{
	return run->seconds > 0 ? (double)count / run->seconds : 0;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static double busy(const struct load_run *run)
{
	return run->seconds > 0 && run->busy < run->seconds ? run->busy / run->seconds : 1;
}

static void print_path(FILE *out, const struct option_list *options)
{
	bool any = false;

	for (size_t i = 0; i < options->count; i++) {
		const struct coap_option *o = &options->at[i];

		if (o->number != COAP_OPT_URI_PATH)
			continue;
		fprintf(out, "/%.*s", (int)o->len, (const char *)o->value);
		any = true;
	}
	if (!any)
		fputc('/', out);
}

// A time in the unit that suits it.
static void print_time(FILE *out, const char *name, double ns)
{
	fprintf(out, "  %s ", name);
	if (ns < 1e6)
		fprintf(out, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		fprintf(out, "%.2f ms", ns / 1e6);
	else
		fprintf(out, "%.2f s", ns / 1e9);
}

static void print_counter(FILE *out, const char *words, uint64_t n)
{
	if (n)
		fprintf(out, "  %-20s %" PRIu64 "\n", words, n);
}

static void print_codes(FILE *out, const uint64_t count[256])
{
	for (unsigned i = 0; i < 256; i++)
		if (count[i])
			fprintf(out, " %u.%02u %" PRIu64, COAP_CODE_CLASS(i), COAP_CODE_DETAIL(i),
				count[i]);
	fputc('\n', out);
}

static const char *const hostile_names[HOSTILE_KINDS] = {
	"unknown_kid", "bad_tag", "replay", "malformed"};

static void print_hostile(FILE *out, const struct hostile_counts *c)
{
	fprintf(out, "  hostile             ");
	for (unsigned i = 0; i < HOSTILE_KINDS; i++)
		fprintf(out, " %s %" PRIu64, hostile_names[i], c->sent[i]);
	fprintf(out, "; %" PRIu64 " bytes sent, %" PRIu64 " came back\n", c->bytes_sent,
		c->bytes_received);
}

void report_text(FILE *out, const struct load_args *args, const struct load_run *run)
{
	const struct load_run_counts *c = &run->counts;
	const struct histogram *h = &run->latency;

	fprintf(out, "%zu device%s, %s %s ", run->devices->count,
		run->devices->count == 1 ? "" : "s", args->type == COAP_CON ? "CON" : "NON",
		coap_method_name(args->code));
	print_path(out, &args->options);
	fprintf(out, " with %zu bytes; %s\n", args->payload_len, run->transport->description);
	if (args->rate > 0)
		fprintf(out, "open loop, %.0f a second", args->rate);
	else
		fprintf(out, "closed loop, %u under way", run->conf.window);
	fprintf(out, ", %.2f s\n", run->seconds);
	fprintf(out, "  answered             %.0f a second (sent %.0f)\n",
		per_second(run, c->in_time), per_second(run, c->sent));
	fprintf(out,
		"  requests             %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64
		" lost (%.4f %%)\n",
		c->sent, c->answered, c->lost, share(c->lost, c->sent));
	print_counter(out, "due, but not sent", c->unsent);
	fprintf(out, "  this program was busy %.1f %% of the time\n", 100 * busy(run));
	fprintf(out, "  opened               %" PRIu64 " of the answers:", c->opened);
	print_codes(out, c->code);
	print_counter(out, "Echo challenges", c->challenges);
	print_counter(out, "separate answers", c->separate);
	print_counter(out, "not verified", c->failed);
	if (c->unprotected) {
		fprintf(out, "  not protected        %" PRIu64 ":", c->unprotected);
		print_codes(out, c->plain_code);
	}
	print_counter(out, "resets", c->resets);
	print_counter(out, "empty ACKs", c->acknowledged);
	print_counter(out, "late or twice", c->unmatched);
	print_counter(out, "wrong message id", c->mismatched);
	print_counter(out, "malformed", c->malformed);
	if (run->hostile)
		print_hostile(out, &run->hostile->counts);
	print_counter(out, "refused by the kernel", run->transport->send_errors);
	if (!h->count)
		return;
	fprintf(out, "  latency            ");
	print_time(out, "least", (double)h->min);
	print_time(out, "mean", histogram_mean(h));
	print_time(out, "deviation", histogram_deviation(h));
	print_time(out, "most", (double)h->max);
	fprintf(out, "\n                     ");
	for (unsigned i = 0; i < PERCENTILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%g%%", percentiles[i]);
		print_time(out, name, (double)histogram_percentile(h, percentiles[i]));
	}
	fputc('\n', out);
}

static void add(json_t *object, const char *name, uint64_t n)
{
	json_object_set_new(object, name, json_integer((json_int_t)n));
}

static json_t *codes(const uint64_t count[256])
{
	json_t *object = json_object();

	for (unsigned i = 0; i < 256; i++) {
		char name[16];

		if (!count[i])
			continue;
		snprintf(name, sizeof(name), "%u.%02u", COAP_CODE_CLASS(i), COAP_CODE_DETAIL(i));
		add(object, name, count[i]);
	}
	return object;
}

static json_t *latency(const struct histogram *h)
{
	json_t *object = json_object();

	json_object_set_new(object, "min", json_real((double)h->min / 1e3));
	json_object_set_new(object, "mean", json_real(histogram_mean(h) / 1e3));
	json_object_set_new(object, "deviation", json_real(histogram_deviation(h) / 1e3));
	for (unsigned i = 0; i < PERCENTILES; i++)
		json_object_set_new(object, percentile_names[i],
			json_real((double)histogram_percentile(h, percentiles[i]) / 1e3));
	json_object_set_new(object, "max", json_real((double)h->max / 1e3));
	return object;
}

static json_t *hostile(const struct hostile_counts *c)
{
	json_t *object = json_object();
	uint64_t sent = 0;

	for (unsigned i = 0; i < HOSTILE_KINDS; i++) {
		add(object, hostile_names[i], c->sent[i]);
		sent += c->sent[i];
	}
	add(object, "sent", sent);
	add(object, "bytes_sent", c->bytes_sent);
	add(object, "received", c->received);
	add(object, "bytes_received", c->bytes_received);
	return object;
}

int report_json(FILE *out, const struct load_args *args, const struct load_run *run)
{
	const struct load_run_counts *c = &run->counts;
	json_t *object = json_object();

	json_object_set_new(object, "bench", json_string("load"));
	json_object_set_new(object, "transport", json_string(run->transport->description));
	add(object, "devices", run->devices->count);
	json_object_set_new(object, "type", json_string(args->type == COAP_CON ? "CON" : "NON"));
	json_object_set_new(object, "method", json_string(coap_method_name(args->code)));
	add(object, "payload_bytes", args->payload_len);
	json_object_set_new(object, "rate", args->rate > 0 ? json_real(args->rate) : json_null());
	add(object, "window", run->conf.window);
	add(object, "verify", run->conf.verify);
	json_object_set_new(object, "seconds", json_real(run->seconds));
	json_object_set_new(object, "answered_per_second", json_real(per_second(run, c->in_time)));
	json_object_set_new(object, "sent_per_second", json_real(per_second(run, c->sent)));
	json_object_set_new(object, "busy", json_real(busy(run)));
	json_object_set_new(object, "cpu_seconds", json_real(run->cpu_seconds));
	add(object, "sent", c->sent);
	add(object, "answered", c->answered);
	add(object, "lost", c->lost);
	add(object, "unsent", c->unsent);
	add(object, "opened", c->opened);
	json_object_set_new(object, "codes", codes(c->code));
	add(object, "challenges", c->challenges);
	add(object, "separate", c->separate);
	add(object, "failed", c->failed);
	add(object, "unprotected", c->unprotected);
	json_object_set_new(object, "unprotected_codes", codes(c->plain_code));
	add(object, "resets", c->resets);
	add(object, "empty_acks", c->acknowledged);
	add(object, "unmatched", c->unmatched);
	add(object, "mismatched", c->mismatched);
	add(object, "malformed", c->malformed);
	if (run->hostile)
		json_object_set_new(object, "hostile", hostile(&run->hostile->counts));
	add(object, "send_errors", run->transport->send_errors);
	json_object_set_new(object, "latency_us", latency(&run->latency));
	add(object, "piv_first", run->piv_first);
	add(object, "piv_last", run->piv_last);
	int err = json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) ? -EIO : 0;
	fputc('\n', out);
	json_decref(object);
	return fflush(out) || err ? -EIO : 0;
}

void report_progress(FILE *out, struct progress *progress, const struct load_run *run,
	double seconds, double elapsed)
{
	uint64_t sent = __atomic_load_n(&run->counts.sent, __ATOMIC_RELAXED);
	uint64_t answered = __atomic_load_n(&run->counts.answered, __ATOMIC_RELAXED);
	uint64_t lost = __atomic_load_n(&run->counts.lost, __ATOMIC_RELAXED);
	bool terminal = isatty(fileno(out));

	fprintf(out, "%s%6.0f s  %10.0f sent  %10.0f answered a second, %" PRIu64 " lost%s",
		terminal ? "\r" : "", elapsed, (double)(sent - progress->sent) / seconds,
		(double)(answered - progress->answered) / seconds, lost, terminal ? "  " : "\n");
	fflush(out);
	*progress = (struct progress){.sent = sent, .answered = answered, .shown = terminal};
}

void report_progress_end(FILE *out, const struct progress *progress)
{
	if (progress->shown)
		fputc('\n', out);
}
