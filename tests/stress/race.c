// SPDX-License-Identifier: BSD-3-Clause
// Three workers, two upstream loops and main at once, under ThreadSanitizer: devices send to all
// workers, from changing ports and some requests twice, so that packets are handed over, and for a
// while to the same one, so that their contexts are given to it; loops
// answer; main removes devices and adds them again. Those that come and go share their kids with
// some that stay, which so have the kid for a name, and have it not. Every answer is opened with
// its own request.
// Speaks TAP; a race makes the program fail, and one that is planted is seen first.
//
// What the sanitizer can see is what was compiled with it. DPDK's libraries were not, but its rings
// and QSBR are inline; so the port here is made of rings of our own, and mbufs come from a mempool
// with a lock.

#include "dataplane/shared/ring.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS   3
#define LOOPS     2
#define EXCHANGES 256
#define DEVICES   24
#define COMING    6 // of these come and go
#define ROUNDS    120
#define STAYS     15  // rounds in which the packets of a device arrive at the same worker
#define SECONDS   240 // after which the program gives up
#define REPORTED  66  // exit status of a program with races

const char *__tsan_default_options(void);

// No race is suppressed: a suppression names a function, and where the sanitizer no longer knows
// the stack of the earlier access it finds no name. Its longest history lets reports have both
// stacks.
const char *__tsan_default_options(void)
{
	return "history_size=7";
}

static struct bed bed;
static bool stopping;
static unsigned points, failures;

static void point(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++points, what);
	fflush(stdout);
	failures += !good;
}

// --- a mempool whose lock the sanitizer sees -----------------------------------------------------

struct stack {
	pthread_mutex_t lock;
	unsigned count;
	void *object[];
};

static int stack_alloc(struct rte_mempool *mp)
{
	struct stack *stack = calloc(1, sizeof(*stack) + mp->size * sizeof(stack->object[0]));

	if (!stack)
		return -ENOMEM;
	pthread_mutex_init(&stack->lock, NULL);
	mp->pool_data = stack;
	return 0;
}

static void stack_free(struct rte_mempool *mp)
{
	free(mp->pool_data);
}

static int stack_enqueue(struct rte_mempool *mp, void *const *objects, unsigned n)
{
	struct stack *stack = mp->pool_data;

	pthread_mutex_lock(&stack->lock);
	memcpy(&stack->object[stack->count], objects, n * sizeof(*objects));
	stack->count += n;
	pthread_mutex_unlock(&stack->lock);
	return 0;
}

static int stack_dequeue(struct rte_mempool *mp, void **objects, unsigned n)
{
	struct stack *stack = mp->pool_data;
	int rc = -ENOBUFS;

	pthread_mutex_lock(&stack->lock);
	if (stack->count >= n) {
		stack->count -= n;
		memcpy(objects, &stack->object[stack->count], n * sizeof(*objects));
		rc = 0;
	}
	pthread_mutex_unlock(&stack->lock);
	return rc;
}

static unsigned stack_count(const struct rte_mempool *mp)
{
	struct stack *stack = mp->pool_data;

	pthread_mutex_lock(&stack->lock);
	unsigned count = stack->count;

	pthread_mutex_unlock(&stack->lock);
	return count;
}

static const struct rte_mempool_ops stack_ops = {
	.name = "locked_stack",
	.alloc = stack_alloc,
	.free = stack_free,
	.enqueue = stack_enqueue,
	.dequeue = stack_dequeue,
	.get_count = stack_count,
};
RTE_MEMPOOL_REGISTER_OPS(stack_ops);

// --- a port
// ----------------------------------------------------------------------------------------

static uint16_t port_rx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return rte_ring_dequeue_burst(queue, (void **)m, n, NULL);
}

// In DPDK 22.11 what a producer wrote is not ordered before what the next one publishes for it, so
// that several at once are a race by the letter.
static uint16_t port_tx(void *queue, struct rte_mbuf **m, uint16_t n)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	n = rte_ring_enqueue_burst(queue, (void **)m, n, NULL);
	pthread_mutex_unlock(&lock);
	return n;
}

// In the place of the ring driver's functions.
static void port_take(void)
{
	static void *rx[WORKERS], *tx[WORKERS];
	struct rte_eth_fp_ops *port = &rte_eth_fp_ops[bed.flow.port_id];

	for (unsigned i = 0; i < WORKERS; i++) {
		rx[i] = bed.rx[i];
		tx[i] = bed.tx;
	}
	port->rx_pkt_burst = port_rx;
	port->tx_pkt_burst = port_tx;
	port->rxq.data = rx;
	port->txq.data = tx;
}

// --- upstream loops ------------------------------------------------------------------------------

static void loop_turn(struct dp_loop *up)
{
	dp_handle handles[8];

	for (unsigned w = 0; w < up->count; w++) {
		struct dp_loop_port *port = &up->port[w];
		unsigned n = dp_loop_receive(port, handles, RTE_DIM(handles));

		for (unsigned i = 0; i < n; i++) {
			struct dp_shared *shared = dp_shared_get(port->pool, handles[i]);

			if (!shared)
				abort();
			// The payload is its last byte, and comes back.
			const uint8_t *body = dp_shared_body(shared);
			uint8_t *plaintext = dp_shared_response(shared);

			plaintext[0] = COAP_CHANGED;
			plaintext[1] = COAP_PAYLOAD_MARK;
			plaintext[2] = body[shared->request.body_len - 1];
			shared->response.len = 3;
			dp_loop_respond(port, handles[i]);
		}
	}
}

static void *loop_run(void *upstream)
{
	while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		loop_turn(upstream);
		sched_yield();
	}
	return NULL;
}

// --- devices -------------------------------------------------------------------------------------

struct sender {
	struct bed_device device;
	struct bed_request request;
	struct dp_flow flow;
	uint64_t piv;
	bool answered;
	bool coming; // it comes and goes, so it may get no answer
	uint8_t mark;
};

static struct sender senders[DEVICES];
static unsigned answered_by_kid;

// Whether it has an ID Context, and its kid is another's, too.
static bool has_namesake(const struct sender *s)
{
	return s - senders < 2 * COMING;
}

static void sender_send(struct sender *s, unsigned queue)
{
	bed.queue = queue % WORKERS;
	if (!dp_ring_free_count(bed.rx[bed.queue]) || !rte_mempool_avail_count(bed.pool))
		return;
	bed_send(&bed, &s->flow, s->request.coap, s->request.len);
}

// The request of this round. By kid alone it is for nobody while the namesake is there.
static void sender_seal(struct sender *s, unsigned round, bool by_kid)
{
	unsigned d = s - senders;
	const char payload[] = {s->mark, 0};

	s->device.sends_id_context = has_namesake(s) && !by_kid;
	bed_seal_path(&s->device, &s->request, d % 3 ? COAP_CON : COAP_NON, s->piv, s->piv,
		COAP_POST, (round + d) % 2 ? "up/x" : "echo", payload);
}

static void send_by_kid(struct sender *s, unsigned round)
{
	sender_seal(s, round, true);
	sender_send(s, round + 1);
	sender_seal(s, round, false);
}

// Who has a kid for itself in this round, when its namesake has gone.
static struct sender *round_alone(unsigned round)
{
	return &senders[COMING + round % COMING];
}

static void round_send(unsigned round)
{
	for (unsigned d = 0; d < DEVICES; d++) {
		struct sender *s = &senders[d];

		s->mark = 'a' + (round + d) % 26;
		s->piv++;
		s->answered = false;
		s->flow = bed.flow;
		s->flow.remote_port = rte_cpu_to_be_16(40000 + d + (round % 16) * DEVICES);
		if (has_namesake(s) && !s->coming)
			send_by_kid(s, round);
		sender_seal(s, round, false);
		if (s == round_alone(round))
			continue;
		sender_send(s, d + round / STAYS);
		if ((d + round) % 16 == 0) // at two workers at once
			sender_send(s, d + round / STAYS + 1);
	}
}

static void take_answers(void)
{
	struct bed_answer answer;

	while (bed_receive(&bed, &answer)) {
		struct sender *s =
			&senders[(rte_be_to_cpu_16(answer.flow.local_port) - 40000) % DEVICES];

		// Of a round before, or an empty ACK.
		if (!answer.protected || answer.msg.token[1] != (uint8_t)s->request.mid)
			continue;
		// A NON whose copy came first at another worker is answered once, too.
		if (!bed_open(&s->device, &s->request, &answer) ||
			answer.plaintext[0] != COAP_CHANGED || answer.plaintext_len < 2 ||
			answer.plaintext[answer.plaintext_len - 1] != s->mark) {
			printf("# device %td: an answer that is not its own\n", s - senders);
			exit(EXIT_FAILURE);
		}
		s->answered = true;
	}
}

static bool all_answered(void)
{
	for (unsigned d = 0; d < DEVICES; d++)
		if (!senders[d].answered && !senders[d].coming)
			return false;
	return true;
}

static void no_event(void *arg, const struct dp_event *event)
{
}

// One of those that come and go, while its packets are on the way.
static void come_and_go(unsigned round)
{
	struct sender *s = &senders[round % COMING], *alone = round_alone(round);
	struct dp_context_key key;

	bed_device_name(&bed, &s->device, &key);
	if (dp_device_remove(bed.dp, &key))
		abort();
	send_by_kid(alone, round);
	while (dp_devices_retiring(bed.dp)) {
		dp_poll(bed.dp, no_event, NULL);
		sched_yield();
	}
	for (unsigned tries = 0; tries < 4096 && !alone->answered; tries++) {
		take_answers();
		sched_yield();
	}
	answered_by_kid += alone->answered;
	bed_device_add(&bed, &s->device, true);
}

// --- the whole -----------------------------------------------------------------------------------

// The libraries' way to wait for a thread is not seen either: the workers' threads say that they
// are done in a way that is.
static unsigned workers_seen;

static int worker_seen(void *arg)
{
	return __atomic_add_fetch(&workers_seen, 1, __ATOMIC_ACQ_REL) == 0;
}

static void workers_stop(void)
{
	dp_stop(bed.dp);
	for (unsigned i = 1; i <= WORKERS; i++)
		if (rte_eal_remote_launch(worker_seen, NULL, i))
			abort();
	rte_eal_mp_wait_lcore();
	while (__atomic_load_n(&workers_seen, __ATOMIC_ACQUIRE) < WORKERS)
		sched_yield();
}

static void sender_make(struct sender *s, unsigned d)
{
	struct bed_device *device = &s->device;

	s->coming = d < COMING;
	if (!has_namesake(s)) {
		bed_device_make(device, 2 + d, AEAD_AES_CCM_16_64_128);
		return;
	}
	bed_device_make(device, 2 + d % COMING, AEAD_AES_CCM_16_64_128);
	device->params.has_id_context = true;
	device->params.id_context_len = 1;
	device->params.id_context[0] = d;
	device->sends_id_context = true;
	if (osc_derive(&device->keys, &device->params))
		abort();
}

static void start(pthread_t loops[LOOPS])
{
	bed_eal_init();
	if (rte_mbuf_set_user_mempool_ops("locked_stack"))
		abort();
	bed_make_exchanges(&bed, WORKERS, LOOPS, EXCHANGES);
	port_take();
	for (unsigned d = 0; d < DEVICES; d++) {
		sender_make(&senders[d], d);
		bed_device_add(&bed, &senders[d].device, true);
	}
	for (unsigned i = 0; i < LOOPS; i++)
		if (pthread_create(&loops[i], NULL, loop_run, dp_loop(bed.dp, i)))
			abort();
	if (dp_start(bed.dp))
		abort();
}

static void stop(pthread_t loops[LOOPS])
{
	workers_stop();
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < LOOPS; i++)
		pthread_join(loops[i], NULL);
	// What was on the rings between them, with nobody else there any more.
	for (unsigned i = 0; i < 4; i++) {
		bed_turn(&bed);
		for (unsigned l = 0; l < LOOPS; l++)
			loop_turn(dp_loop(bed.dp, l));
	}
}

// Main does what only an owner may, after it sent and before it receives: nothing orders that.
static void plant(void)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[senders[DEVICES - 1].device.context];

	ctx->accepted++;
}

static bool rounds(unsigned count, bool planted)
{
	time_t end = time(NULL) + SECONDS;

	for (unsigned round = 0; round < count; round++) {
		unsigned again = 0;

		round_send(round);
		if (planted)
			plant();
		come_and_go(round);
		take_answers();
		while (!all_answered()) {
			if (time(NULL) > end)
				return false;
			sched_yield();
			take_answers();
			// What a full ring dropped is sent again.
			if (++again % 4096)
				continue;
			for (unsigned d = 0; d < DEVICES; d++)
				if (!senders[d].answered && !senders[d].coming)
					sender_send(&senders[d], d + round);
		}
	}
	return true;
}

// Whether the sanitizer sees a race that was planted: in a process of its own.
static bool planted_seen(const char *program)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv("TSAN_OPTIONS", "exitcode=66 log_path=/dev/null", 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		execl(program, program, "--planted", NULL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == REPORTED;
}

int main(int argc, char **argv)
{
	bool planted = argc > 1 && !strcmp(argv[1], "--planted");
	pthread_t loops[LOOPS];
	unsigned missing = 0;

	if (!planted)
		point(planted_seen("/proc/self/exe"), "a race that was planted is seen");
	start(loops);
	point(rounds(planted ? 20 : ROUNDS, planted), "every device that stays is answered");
	stop(loops);
	take_answers();
	point(bed_count(&bed, DP_STAT_handed_over) > 0, "packets were handed over");
	point(bed_count(&bed, DP_STAT_handed_over) == bed_count(&bed, DP_STAT_taken_over),
		"and all of them arrived");
	point(planted || bed_count(&bed, DP_STAT_contexts_moved) > 0, "contexts followed them");
	point(bed_count(&bed, DP_STAT_exchanges_started) > 0, "requests went to the loops");
	point(bed_count(&bed, DP_STAT_drop_tag) == 0, "nothing was damaged on the way");
	point(answered_by_kid > 0 || planted, "a kid alone was a name at times");
	for (unsigned i = 0; i < WORKERS; i++)
		missing += dp_worker_exchanges_free(bed.dp, i) + dp_worker_unacked(bed.dp, i) !=
			EXCHANGES;
	point(!missing, "every exchange is back");
	bed_free(&bed);
	printf("1..%u\n", points);
	return failures != 0;
}
