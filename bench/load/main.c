// SPDX-License-Identifier: BSD-3-Clause
// postern-load: puts an OSCORE server under load.

#include "base/clock.h"
#include "bench/load/args.h"
#include "bench/load/devices.h"
#include "bench/load/pcap.h"
#include "bench/load/report.h"
#include "bench/load/run.h"
#include "gw/os/standard_fds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define TURN_MS     20 // of the main thread
#define PROGRESS_MS 1000

enum exit_status {
	EXIT_DONE = 0,
	EXIT_LOCAL = 1,
	EXIT_USAGE = 2,
	EXIT_NO_ANSWER = 3,
	EXIT_UNVERIFIED = 4, // an answer did not verify
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = 1;
}

static int go(void *arg)
{
	// Sleeps end when they are to end, not 50 us later.
	prctl(PR_SET_TIMERSLACK, 1);
	load_run_go(arg);
	return 0;
}

static void *go_thread(void *arg)
{
	go(arg);
	return NULL;
}

static int launch(struct load_run *run, int core, struct error *f)
{
	struct transport *t = run->transport;
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	cpu_set_t cpus;
	int err;

	if (t->ops->launch) {
		err = t->ops->launch(t, go, run);
		return err ? error_set(f, err, "the sender does not start: %s", strerror(-err)) : 0;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (core >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(core, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	// Signals are the main thread's.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, go_thread, run);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err ? error_set(f, -err, "the sender does not start: %s", strerror(err)) : 0;
}

// What the main thread does meanwhile.
static int watch(struct load_run *run, bool quiet, struct error *f)
{
	struct timespec turn = {.tv_nsec = TURN_MS * 1000000L};
	uint64_t start = clock_ns(), shown = start;
	struct progress progress = {0};
	int err = 0;

	while (!atomic_load_explicit(&run->done, memory_order_acquire)) {
		nanosleep(&turn, NULL);
		if (!err)
			err = piv_supply_fill(run->supply, f);
		if (interrupted || err)
			run->stop = true;
		uint64_t now = clock_ns();
		if (quiet || now - shown < PROGRESS_MS * 1000000ull)
			continue;
		report_progress(stderr, &progress, run, (double)(now - shown) / 1e9,
			(double)(now - start) / 1e9);
		shown = now;
	}
	report_progress_end(stderr, &progress);
	if (!err && run->problem)
		err = error_set(f, -EIO, "%s", run->problem);
	return err;
}

static enum exit_status status_of(const struct load_run *run)
{
	if (run->counts.failed)
		return EXIT_UNVERIFIED;
	return run->counts.answered ? EXIT_DONE : EXIT_NO_ANSWER;
}

struct load {
	struct load_args args;
	struct load_devices devices;
	struct request_form form;
	struct piv_supply supply;
	struct hostile hostile;
	struct load_run run;
};

// The address that frames go to.
static int server_address(const struct load_args *args, uint8_t addr[16], struct error *f)
{
	const int family = args->sources.family == 4 ? AF_INET : AF_INET6;

	memset(addr, 0, 16);
	if (inet_pton(family, args->uri.host, addr) != 1)
		return error_set(f, -EINVAL, "%s is not an IPv%u address, as those of --source are",
			args->uri.host, args->sources.family);
	return 0;
}

// The first CPU that this process may use: gateways have the last ones.
static unsigned first_core(void)
{
	unsigned core = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return 0;
	while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &cpus))
		core++;
	return core;
}

static struct transport *open_transport(const struct load_args *args, struct error *f)
{
	struct port_conf conf = {
		.kind = args->port_kind,
		.dev = args->port_dev,
		.memif_server = args->memif_server,
		.mtu = args->mtu,
		.core = args->core >= 0 ? (unsigned)args->core : first_core(),
		.host = args->uri.host,
		.port = args->uri.port,
		.server_mac = args->has_server_mac ? args->server_mac : NULL,
	};

	if (!args->port_dev)
		return transport_udp(args->uri.host, args->uri.port, args->family,
			args->bind_address, args->sockets + (args->hostile ? HOSTILE_ENDPOINTS : 0),
			f);
	if (server_address(args, conf.server, f))
		return NULL;
	return transport_port(&conf, &args->sources, f);
}

// As many as devices, if there are so many, and those that nothing good comes from.
static int count_endpoints(struct load_args *args, size_t devices, struct error *f)
{
	uint64_t endpoints = (uint64_t)args->sources.addresses * args->sources.ports;
	unsigned hostile = args->hostile ? HOSTILE_ENDPOINTS : 0;

	if (args->sources.family && endpoints <= hostile)
		return error_set(f, -EINVAL,
			"--hostile needs more than %d addresses and ports to send from",
			HOSTILE_ENDPOINTS);
	args->sources.endpoints =
		(uint32_t)(devices + hostile < endpoints ? devices + hostile : endpoints);
	return 0;
}

static int prepare_hostile(struct load *load, struct error *f)
{
	struct transport *t = load->run.transport;

	if (!load->args.hostile)
		return 0;
	t->hostile = HOSTILE_ENDPOINTS;
	load->run.hostile = &load->hostile;
	return hostile_create(
		       &load->hostile, load->args.hostile, &load->devices, &load->form, t->len_max)
		? error_set(f, -ENOMEM, "out of memory")
		: 0;
}

static int prepare(struct load *load, struct error *f)
{
	struct load_args *args = &load->args;
	struct load_run *run = &load->run;
	bool started;
	int err;

	err = devices_read(&load->devices, args->keys_path, args->devices, f);
	if (err)
		return err;
	err = count_endpoints(args, load->devices.count, f);
	if (err)
		return err;
	if (!args->pcap_path) {
		run->transport = open_transport(args, f);
		if (!run->transport)
			return -EIO;
	}
	load->form = (struct request_form){
		.type = args->type,
		.code = args->code,
		.options = &args->options,
		.payload = args->payload,
		.payload_len = args->payload_len,
	};
	err = request_form_make(&load->form, &load->devices,
		args->pcap_path ? PCAP_MESSAGE_MAX : run->transport->len_max, f);
	if (err)
		return err;
	err = piv_supply_open(&load->supply, args->keys_path, load->devices.count, &started, f);
	if (err)
		return err;
	if (started && !args->quiet)
		fprintf(stderr,
			"* %s is new: sequence numbers begin at 0. If these keys were in use "
			"before, stop here.\n",
			load->supply.path);
	if (args->pcap_path)
		return 0;
	run->conf = (struct load_run_conf){
		.rate = args->rate,
		.window = args->window,
		.requests = args->requests,
		.warm_up_ns = args->warm_up_ms * 1000000ull,
		.duration_ns = args->duration_ms * 1000000ull,
		.timeout_ns = args->timeout_ms * 1000000ull,
		.verify = args->verify,
		.reflected = args->reflected,
	};
	run->devices = &load->devices;
	run->form = &load->form;
	run->supply = &load->supply;
	err = prepare_hostile(load, f);
	return err ? err : load_run_prepare(run, f);
}

static int write_pcap(struct load *load, struct error *f)
{
	struct load_args *args = &load->args;
	struct pcap_conf conf = {
		.path = args->pcap_path,
		.requests = args->requests,
		.sources = &args->sources,
		.port = args->uri.port,
	};
	int err = server_address(args, conf.server, f);

	if (err)
		return err;
	memcpy(conf.source_mac, args->source_mac, sizeof(conf.source_mac));
	memcpy(conf.server_mac, args->server_mac, sizeof(conf.server_mac));
	return pcap_write(&conf, &load->form, &load->devices, &load->supply, f);
}

static int go_and_watch(struct load *load, struct error *f)
{
	struct sigaction action = {.sa_handler = on_signal};
	int err = launch(&load->run, load->args.core, f);

	if (err)
		return err;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return watch(&load->run, load->args.quiet, f);
}

static enum exit_status run_load(struct load *load, struct error *f)
{
	int err = prepare(load, f), close_err;
	struct error second;

	if (!err)
		err = load->args.pcap_path ? write_pcap(load, f) : go_and_watch(load, f);
	close_err = piv_supply_close(&load->supply, err ? &second : f);
	err = err ? err : close_err;
	if (!err && !load->args.pcap_path && load->args.json &&
		report_json(stdout, &load->args, &load->run))
		err = error_set(f, -EIO, "cannot write the report");
	if (err) {
		fprintf(stderr, "postern-load: %s\n", f->text);
		return EXIT_LOCAL;
	}
	if (load->args.pcap_path)
		return EXIT_DONE;
	if (!load->args.json)
		report_text(stdout, &load->args, &load->run);
	return status_of(&load->run);
}

static void release(struct load *load)
{
	load_run_free(&load->run);
	hostile_free(&load->hostile);
	request_form_free(&load->form);
	if (load->run.transport)
		load->run.transport->ops->close(load->run.transport);
	devices_free(&load->devices);
	load_args_free(&load->args);
}

int main(int argc, char **argv)
{
	static struct load load;
	enum exit_status status = EXIT_DONE;
	struct error f = {0};

	if (standard_fds_take())
		return EXIT_LOCAL; // there is no descriptor to complain on
	if (sodium_init() < 0) {
		fprintf(stderr, "postern-load: libsodium does not start\n");
		return EXIT_LOCAL;
	}
	switch (load_args_parse(&load.args, argc, argv, &f)) {
	case LOAD_ARGS_RUN:
		if (!load.args.make_devices) {
			status = run_load(&load, &f);
		} else if (devices_make(load.args.make_path, load.args.make_devices,
				   load.args.first_id, load.args.alg, &f)) {
			fprintf(stderr, "postern-load: %s\n", f.text);
			status = EXIT_LOCAL;
		}
		break;
	case LOAD_ARGS_DONE:
		break;
	case LOAD_ARGS_WRONG:
		fprintf(stderr, "postern-load: %s\n", f.text);
		status = EXIT_USAGE;
		break;
	}
	release(&load);
	return status;
}
