/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What DPDK's rings, mempools and packet buffers cost, in cycles an object.
 *
 *     dpdk_figures CORE [SECOND_CORE]
 *
 * Prints one `bench=... cycles_per_object=...` line a case, and `#` lines that say on what it
 * ran. The main thread is pinned to CORE; the two-core cases run only if SECOND_CORE is given.
 * Needs no root, no huge pages and no NIC. Neighbours: `run` builds and starts this program
 * and sets its lines beside Gannet's. It measures no driver.
 *
 * A case is run once to warm up and then RUNS times; its figure is the median. "Cycles" are
 * ticks of the time-stamp counter, as in Gannet's own benches.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <rte_version.h>

#define RUNS 3
#define OBJECTS_A_RUN (UINT64_C(1) << 24)
#define RING_SLOTS 1024
#define POOL_PACKETS 8191
#define MAX_BULK 64
#define TWO_CORE_BURST 32

static const unsigned int BULKS[] = {1, 8, 32, 64};
static const unsigned int CACHES[] = {256, 512};

/* One timed loop: `rounds` times, move `bulk` objects through `subject` and back. Gives cycles. */
typedef uint64_t (*loop_fn)(void *subject, unsigned int bulk, uint64_t rounds);

static void fail(const char *what)
{
	fprintf(stderr, "dpdk_figures: %s: %s\n", what, rte_strerror(rte_errno));
	exit(EXIT_FAILURE);
}

/* The compiler must assume that somebody reads and writes what `objects` points to. */
static inline void keep(void *objects)
{
	asm volatile("" : : "r"(objects) : "memory");
}

/* ---- the cases on one core ------------------------------------------------------------- */

/* DPDK's calls are inline functions and an application calls them with a constant burst, so
 * each loop below is compiled once for every bulk size. */
#define WITH_CONSTANT_BULK(loop, subject, bulk, rounds)                                            \
	switch (bulk) {                                                                            \
	case 1:                                                                                    \
		return loop(subject, 1, rounds);                                                   \
	case 8:                                                                                    \
		return loop(subject, 8, rounds);                                                   \
	case 32:                                                                                   \
		return loop(subject, 32, rounds);                                                  \
	default:                                                                                   \
		return loop(subject, 64, rounds);                                                  \
	}

static __rte_always_inline uint64_t spsc_loop(struct rte_ring *ring, unsigned int bulk,
					      uint64_t rounds)
{
	void *objects[MAX_BULK] = {NULL};
	uint64_t start = rte_rdtsc();

	for (uint64_t i = 0; i < rounds; i++) {
		keep(objects);
		if (unlikely(rte_ring_sp_enqueue_bulk(ring, objects, bulk, NULL) != bulk))
			fail("SPSC ring is full");
		if (unlikely(rte_ring_sc_dequeue_bulk(ring, objects, bulk, NULL) != bulk))
			fail("SPSC ring is empty");
		keep(objects);
	}
	return rte_rdtsc() - start;
}

static __rte_always_inline uint64_t mpmc_loop(struct rte_ring *ring, unsigned int bulk,
					      uint64_t rounds)
{
	void *objects[MAX_BULK] = {NULL};
	uint64_t start = rte_rdtsc();

	for (uint64_t i = 0; i < rounds; i++) {
		keep(objects);
		if (unlikely(rte_ring_mp_enqueue_bulk(ring, objects, bulk, NULL) != bulk))
			fail("MPMC ring is full");
		if (unlikely(rte_ring_mc_dequeue_bulk(ring, objects, bulk, NULL) != bulk))
			fail("MPMC ring is empty");
		keep(objects);
	}
	return rte_rdtsc() - start;
}

static __rte_always_inline uint64_t raw_loop(struct rte_mempool *pool, unsigned int bulk,
					     uint64_t rounds)
{
	void *objects[MAX_BULK];
	uint64_t start = rte_rdtsc();

	for (uint64_t i = 0; i < rounds; i++) {
		if (unlikely(rte_mempool_get_bulk(pool, objects, bulk) != 0))
			fail("the pool is empty");
		keep(objects);
		rte_mempool_put_bulk(pool, objects, bulk);
	}
	return rte_rdtsc() - start;
}

static uint64_t packet_single_loop(struct rte_mempool *pool, uint64_t rounds)
{
	uint64_t start = rte_rdtsc();

	for (uint64_t i = 0; i < rounds; i++) {
		struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

		if (unlikely(packet == NULL))
			fail("the packet pool is empty");
		keep(packet);
		rte_pktmbuf_free(packet);
	}
	return rte_rdtsc() - start;
}

static __rte_always_inline uint64_t packet_loop(struct rte_mempool *pool, unsigned int bulk,
						uint64_t rounds)
{
	struct rte_mbuf *packets[MAX_BULK];
	uint64_t start = rte_rdtsc();

	if (bulk == 1)
		return packet_single_loop(pool, rounds);
	for (uint64_t i = 0; i < rounds; i++) {
		if (unlikely(rte_pktmbuf_alloc_bulk(pool, packets, bulk) != 0))
			fail("the packet pool is empty");
		keep(packets);
		rte_pktmbuf_free_bulk(packets, bulk);
	}
	return rte_rdtsc() - start;
}

static uint64_t ring_spsc(void *ring, unsigned int bulk, uint64_t rounds)
{
	WITH_CONSTANT_BULK(spsc_loop, ring, bulk, rounds)
}

static uint64_t ring_mpmc(void *ring, unsigned int bulk, uint64_t rounds)
{
	WITH_CONSTANT_BULK(mpmc_loop, ring, bulk, rounds)
}

static uint64_t pool_raw(void *pool, unsigned int bulk, uint64_t rounds)
{
	WITH_CONSTANT_BULK(raw_loop, pool, bulk, rounds)
}

static uint64_t pool_packets(void *pool, unsigned int bulk, uint64_t rounds)
{
	WITH_CONSTANT_BULK(packet_loop, pool, bulk, rounds)
}

/* ---- the cases on two cores ------------------------------------------------------------ */

struct transfer {
	struct rte_ring *ring;
	uint64_t objects;
};

typedef unsigned int (*burst_in_fn)(struct rte_ring *, void *const *, unsigned int, unsigned int *);
typedef unsigned int (*burst_out_fn)(struct rte_ring *, void **, unsigned int, unsigned int *);

/* Runs on the second core. A full ring costs a pause and another try, never an object. */
static __rte_always_inline int produce(const struct transfer *transfer, burst_in_fn enqueue)
{
	void *objects[TWO_CORE_BURST] = {NULL};
	uint64_t sent = 0;

	while (sent < transfer->objects) {
		uint64_t left = transfer->objects - sent;
		unsigned int burst = RTE_MIN(left, (uint64_t)TWO_CORE_BURST);
		unsigned int taken = enqueue(transfer->ring, objects, burst, NULL);

		if (taken == 0)
			rte_pause();
		sent += taken;
	}
	return 0;
}

/* The clock starts at the first object: how long the second core takes to wake is not counted. */
static __rte_always_inline uint64_t consume(const struct transfer *transfer, burst_out_fn dequeue)
{
	void *objects[TWO_CORE_BURST];
	uint64_t received = 0, start = 0;

	while (received < transfer->objects) {
		unsigned int got = dequeue(transfer->ring, objects, TWO_CORE_BURST, NULL);

		keep(objects);
		if (got == 0)
			rte_pause();
		else if (received == 0)
			start = rte_rdtsc();
		received += got;
	}
	return rte_rdtsc() - start;
}

static int produce_spsc(void *transfer)
{
	return produce(transfer, rte_ring_sp_enqueue_burst);
}

static int produce_mpmc(void *transfer)
{
	return produce(transfer, rte_ring_mp_enqueue_burst);
}

static uint64_t ring_spsc_two_cores(void *ring, unsigned int burst, uint64_t rounds)
{
	struct transfer transfer = {ring, burst * rounds};

	rte_eal_remote_launch(produce_spsc, &transfer, rte_get_next_lcore(-1, 1, 0));
	uint64_t cycles = consume(&transfer, rte_ring_sc_dequeue_burst);
	rte_eal_mp_wait_lcore();
	return cycles;
}

static uint64_t ring_mpmc_two_cores(void *ring, unsigned int burst, uint64_t rounds)
{
	struct transfer transfer = {ring, burst * rounds};

	rte_eal_remote_launch(produce_mpmc, &transfer, rte_get_next_lcore(-1, 1, 0));
	uint64_t cycles = consume(&transfer, rte_ring_mc_dequeue_burst);
	rte_eal_mp_wait_lcore();
	return cycles;
}

/* ---- measuring and printing ------------------------------------------------------------ */

static int by_size(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double median_cycles_per_object(loop_fn loop, void *subject, unsigned int bulk)
{
	uint64_t rounds = OBJECTS_A_RUN / bulk;
	double figures[RUNS];

	loop(subject, bulk, rounds / 8 + 1);
	for (unsigned int run = 0; run < RUNS; run++)
		figures[run] = (double)loop(subject, bulk, rounds) / (double)(rounds * bulk);
	qsort(figures, RUNS, sizeof(figures[0]), by_size);
	return figures[RUNS / 2];
}

static void measure_ring(const char *name, unsigned int flags, loop_fn one_core, loop_fn two_cores)
{
	struct rte_ring *ring = rte_ring_create(name, RING_SLOTS, SOCKET_ID_ANY, flags);

	if (ring == NULL)
		fail("cannot create a ring");
	for (unsigned int i = 0; i < RTE_DIM(BULKS); i++)
		printf("bench=ring peer=dpdk case=%s cores=1 bulk=%u cycles_per_object=%.2f\n",
		       name, BULKS[i], median_cycles_per_object(one_core, ring, BULKS[i]));
	if (rte_lcore_count() > 1)
		printf("bench=ring peer=dpdk case=%s cores=2 bulk=%u cycles_per_object=%.2f\n",
		       name, TWO_CORE_BURST,
		       median_cycles_per_object(two_cores, ring, TWO_CORE_BURST));
	rte_ring_free(ring);
}

static void measure_pool_case(struct rte_mempool *pool, const char *name, loop_fn loop)
{
	for (unsigned int i = 0; i < RTE_DIM(BULKS); i++)
		printf("bench=mempool peer=dpdk case=%s cache=%u bulk=%u cycles_per_object=%.2f\n",
		       name, pool->cache_size, BULKS[i],
		       median_cycles_per_object(loop, pool, BULKS[i]));
}

static void measure_pool(unsigned int cache)
{
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("packets", POOL_PACKETS, cache, 0,
					RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (pool == NULL)
		fail("cannot create a packet pool");
	measure_pool_case(pool, "raw", pool_raw);
	measure_pool_case(pool, "packet_alloc_free", pool_packets);
	if (!rte_mempool_full(pool))
		fail("a buffer did not come back");
	rte_mempool_free(pool);
}

static void start_eal(char *program, char *core, char *second_core)
{
	char lcores[64];

	snprintf(lcores, sizeof(lcores), second_core ? "%s,%s" : "%s", core, second_core);
	char *arguments[] = {
		program, "-l", lcores, "--main-lcore", core,
		"--no-huge", "-m", "512", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level=error", NULL,
	};

	if (rte_eal_init(RTE_DIM(arguments) - 1, arguments) < 0)
		fail("cannot start DPDK's environment");
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: dpdk_figures CORE [SECOND_CORE]\n");
		return 2;
	}
	start_eal(argv[0], argv[1], argc == 3 ? argv[2] : NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# %s, core %s, time-stamp counter at %" PRIu64 " MHz\n", rte_version(), argv[1],
	       rte_get_tsc_hz() / 1000000);
	printf("# median of %d runs of %" PRIu64 " objects, ring of %d, pool of %d\n", RUNS,
	       OBJECTS_A_RUN, RING_SLOTS, POOL_PACKETS);
	measure_ring("spsc", RING_F_SP_ENQ | RING_F_SC_DEQ, ring_spsc, ring_spsc_two_cores);
	measure_ring("mpmc", 0, ring_mpmc, ring_mpmc_two_cores);
	for (unsigned int i = 0; i < RTE_DIM(CACHES); i++)
		measure_pool(CACHES[i]);
	return rte_eal_cleanup() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
