// SPDX-License-Identifier: GPL-2.0
/*
 * Clients' accounts: single cases, and random histories against a model that adds
 * everything up anew.
 */
#include <kunit/test.h>

#include <linux/sizes.h>
#include <linux/slab.h>

#include "kunit_device.h"
#include "kunit_lock.h"

#include "pddgpu_account.h"
#include "pddgpu_device.h"

#define CLIENTS		5
#define NODES		12
/* Jobs of a client that are not over */
#define FLIGHTS		4
#define STEPS		60000
/* So many handles are told of one buffer before others get the lock */
#define TOLD		64

unsigned long pddgpu_kunit_locks;

/**
 * struct account_model - clients and buffers, and what should be said of them
 */
struct account_model {
	/** @account: what is tested */
	struct pddgpu_account *account;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @client: the clients */
	struct pddgpu_account_client *client[CLIENTS];
	/** @node: the buffers; of zeros where there is none */
	struct pddgpu_account_node node[NODES];
	/** @size: bytes; 0: there is none */
	u64 size[NODES];
	/** @home: preferred */
	u32 home[NODES];
	/** @where: now */
	u32 where[NODES];
	/** @exported: for ever */
	bool exported[NODES];
	/** @swapped: now */
	bool swapped[NODES];
	/** @handles: of each client */
	u32 handles[CLIENTS][NODES];
	/** @evictions: of each client */
	u64 evictions[CLIENTS];
	/** @flight: the clients' jobs, by number */
	struct pddgpu_account_flight flight[CLIENTS][FLIGHTS];
	/** @begun: how many each client has had */
	u64 begun[CLIENTS];
	/** @landed: of them are over */
	u64 landed[CLIENTS];
	/** @last: the number of the youngest that uses a buffer; 0: none */
	u64 last[CLIENTS][NODES];
	/** @move: jobs that move one buffer each, by number */
	struct pddgpu_account_flight move[FLIGHTS];
	/** @moves_begun: how many there were */
	u64 moves_begun;
	/** @moves_landed: of them are over */
	u64 moves_landed;
	/** @last_move: the number of a buffer's last one; 0: none */
	u64 last_move[NODES];
};

static u32 below(struct account_model *m, u32 limit)
{
	return pddgpu_kunit_below(&m->rnd, limit);
}

static bool flies(const struct account_model *m, u32 c, u32 n)
{
	return m->last[c][n] > m->landed[c];
}

static bool busy(const struct account_model *m, u32 n)
{
	u32 c;

	for (c = 0; c < CLIENTS; c++) {
		if (flies(m, c, n))
			return true;
	}
	return m->last_move[n] > m->moves_landed;
}

static u32 all_handles(const struct account_model *m, u32 n)
{
	u32 c, count = 0;

	for (c = 0; c < CLIENTS; c++)
		count += m->handles[c][n];
	return count;
}

static void expected(const struct account_model *m, u32 c, struct pddgpu_account_figures *has)
{
	u32 n;

	memset(has, 0, sizeof(*has));
	has->evictions = m->evictions[c];
	for (n = 0; n < NODES; n++) {
		if (!m->handles[c][n])
			continue;
		has->total[m->home[n]] += m->size[n];
		if (m->exported[n] || all_handles(m, n) > 1)
			has->shared[m->home[n]] += m->size[n];
		if (m->swapped[n])
			continue;
		has->resident[m->where[n]] += m->size[n];
		if (busy(m, n))
			has->active[m->where[n]] += m->size[n];
	}
}

static void expect_all(struct kunit *test, struct account_model *m)
{
	struct pddgpu_account_figures has, should;
	u32 c;

	for (c = 0; c < CLIENTS; c++) {
		pddgpu_account_read(m->account, m->client[c], &has);
		expected(m, c, &should);
		KUNIT_ASSERT_MEMEQ_MSG(test, &has, &should, sizeof(has), "client %u", c);
	}
}

static void begin(struct account_model *m, u32 n, u64 size, u32 home, u32 where, bool exported)
{
	m->size[n] = size;
	m->home[n] = home;
	m->where[n] = where;
	m->exported[n] = exported;
	m->swapped[n] = false;
	memset(&m->node[n], 0, sizeof(m->node[n]));
	pddgpu_account_begin(&m->node[n], size, home, where, exported);
}

static void end(struct account_model *m, u32 n)
{
	u32 c;

	pddgpu_account_end(m->account, &m->node[n]);
	/* Whoever still looks at it stumbles */
	memset(&m->node[n], 0x6b, sizeof(m->node[n]));
	m->size[n] = 0;
	m->last_move[n] = 0;
	for (c = 0; c < CLIENTS; c++)
		m->last[c][n] = 0;
}

static void open(struct kunit *test, struct account_model *m, u32 c, u32 n)
{
	KUNIT_ASSERT_EQ(test, 0, pddgpu_account_open(m->account, &m->node[n], m->client[c]));
	m->handles[c][n]++;
}

static void close(struct account_model *m, u32 c, u32 n)
{
	pddgpu_account_close(m->account, &m->node[n], m->client[c]);
	m->handles[c][n]--;
}

static void move(struct account_model *m, u32 n, u32 where, bool evicted)
{
	u32 c;

	pddgpu_account_move(m->account, &m->node[n], where, evicted);
	m->where[n] = where;
	for (c = 0; c < CLIENTS; c++)
		m->evictions[c] += evicted && m->handles[c][n];
}

static void board(struct account_model *m, u32 c, u32 n)
{
	pddgpu_account_board(m->account, &m->node[n], m->client[c],
			     &m->flight[c][m->begun[c] % FLIGHTS]);
	if (m->handles[c][n] || flies(m, c, n))
		m->last[c][n] = m->begun[c];
}

/* The client's next job, with some of the buffers, also such as it does not have */
static void take_off(struct account_model *m, u32 c, u32 mask)
{
	u32 n;

	m->begun[c]++;
	pddgpu_account_flight_init(&m->flight[c][m->begun[c] % FLIGHTS]);
	for (n = 0; n < NODES; n++) {
		if (mask & BIT(n) && m->size[n])
			board(m, c, n);
	}
}

static void land(struct account_model *m, u32 c)
{
	struct pddgpu_account_flight *flight;

	m->landed[c]++;
	flight = &m->flight[c][m->landed[c] % FLIGHTS];
	pddgpu_account_land(flight);
	memset(flight, 0x6b, sizeof(*flight));
}

static void carry(struct account_model *m, u32 n)
{
	struct pddgpu_account_flight *flight = &m->move[++m->moves_begun % FLIGHTS];

	pddgpu_account_flight_init(flight);
	pddgpu_account_carry(m->account, &m->node[n], flight);
	m->last_move[n] = m->moves_begun;
}

static void land_move(struct account_model *m)
{
	struct pddgpu_account_flight *flight = &m->move[++m->moves_landed % FLIGHTS];

	pddgpu_account_land(flight);
	memset(flight, 0x6b, sizeof(*flight));
}

static int account_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);
	struct account_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u32 c;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->account = pddgpu_account_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->account);
	for (c = 0; c < CLIENTS; c++) {
		m->client[c] = pddgpu_account_client_create();
		KUNIT_ASSERT_NOT_NULL(test, m->client[c]);
	}
	pddgpu_kunit_seed(test, &m->rnd);
	test->priv = m;
	return 0;
}

static void account_test_exit(struct kunit *test)
{
	struct account_model *m = test->priv;
	u32 c, n;

	for (c = 0; c < CLIENTS; c++) {
		for (n = 0; n < NODES; n++) {
			while (m->handles[c][n])
				close(m, c, n);
		}
	}
	for (n = 0; n < NODES; n++) {
		if (m->size[n])
			end(m, n);
	}
	for (c = 0; c < CLIENTS; c++) {
		while (m->landed[c] < m->begun[c])
			land(m, c);
		pddgpu_account_client_put(m->client[c]);
	}
	while (m->moves_landed < m->moves_begun)
		land_move(m);
}

static void account_test_alone(struct kunit *test)
{
	struct account_model *m = test->priv;

	begin(m, 0, SZ_1M, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_GTT, false);
	expect_all(test, m);
	open(test, m, 0, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.total[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.resident[PDDGPU_ACCOUNT_GTT], SZ_1M);
	expect_all(test, m);
	move(m, 0, PDDGPU_ACCOUNT_VRAM, false);
	expect_all(test, m);
	move(m, 0, PDDGPU_ACCOUNT_MEMORY, true);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.evictions, 1);
	/* Within its region it counts too */
	move(m, 0, PDDGPU_ACCOUNT_MEMORY, true);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.evictions, 2);
	pddgpu_account_swap(m->account, &m->node[0], true);
	m->swapped[0] = true;
	expect_all(test, m);
	pddgpu_account_prefer(m->account, &m->node[0], PDDGPU_ACCOUNT_GTT);
	m->home[0] = PDDGPU_ACCOUNT_GTT;
	expect_all(test, m);
	pddgpu_account_export(m->account, &m->node[0]);
	m->exported[0] = true;
	expect_all(test, m);
	close(m, 0, 0);
	expect_all(test, m);
}

/* A second handle of the same client is no second buffer, but makes it shared */
static void account_test_two_handles(struct kunit *test)
{
	struct account_model *m = test->priv;

	begin(m, 0, SZ_1M, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_VRAM, false);
	open(test, m, 0, 0);
	open(test, m, 0, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.total[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.shared[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	open(test, m, 1, 0);
	expect_all(test, m);
	close(m, 0, 0);
	expect_all(test, m);
	close(m, 0, 0);
	KUNIT_EXPECT_EQ(test, m->client[1]->has.shared[PDDGPU_ACCOUNT_VRAM], 0);
	expect_all(test, m);
}

/* The client whose record the buffer itself has goes, others come and go */
static void account_test_records(struct kunit *test)
{
	struct account_model *m = test->priv;
	u32 c;

	begin(m, 0, SZ_64K, PDDGPU_ACCOUNT_GTT, PDDGPU_ACCOUNT_GTT, false);
	for (c = 0; c < CLIENTS; c++)
		open(test, m, c, 0);
	expect_all(test, m);
	close(m, 0, 0);
	open(test, m, 0, 0);
	close(m, 3, 0);
	expect_all(test, m);
	for (c = 0; c < CLIENTS; c++) {
		if (m->handles[c][0])
			close(m, c, 0);
		expect_all(test, m);
	}
	open(test, m, 4, 0);
	expect_all(test, m);
}

/* It is in use for all until the last job is over, whoever has gone meanwhile */
static void account_test_flights(struct kunit *test)
{
	struct account_model *m = test->priv;

	begin(m, 0, SZ_1M, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_VRAM, false);
	begin(m, 1, SZ_2M, PDDGPU_ACCOUNT_GTT, PDDGPU_ACCOUNT_GTT, false);
	open(test, m, 0, 0);
	open(test, m, 1, 0);
	open(test, m, 0, 1);
	take_off(m, 0, BIT(0) | BIT(1));
	take_off(m, 0, BIT(0));
	take_off(m, 1, BIT(0) | BIT(1));
	KUNIT_EXPECT_EQ(test, m->client[1]->has.active[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	expect_all(test, m);
	land(m, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_GTT], 0);
	expect_all(test, m);
	close(m, 1, 0);
	land(m, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	/* Back again, while its job is still there */
	open(test, m, 1, 0);
	expect_all(test, m);
	close(m, 1, 0);
	land(m, 1);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_VRAM], 0);
	expect_all(test, m);
	/* The buffer goes before the job is over */
	take_off(m, 0, BIT(0) | BIT(1));
	close(m, 0, 0);
	end(m, 0);
	land(m, 0);
	expect_all(test, m);
}

/* On its way it is in use, where it is and where it goes */
static void account_test_moves(struct kunit *test)
{
	struct account_model *m = test->priv;

	begin(m, 0, SZ_1M, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_VRAM, false);
	open(test, m, 0, 0);
	carry(m, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	move(m, 0, PDDGPU_ACCOUNT_GTT, true);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_GTT], SZ_1M);
	carry(m, 0);
	land_move(m);
	expect_all(test, m);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_GTT], SZ_1M);
	take_off(m, 0, BIT(0));
	land_move(m);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_GTT], SZ_1M);
	land(m, 0);
	KUNIT_EXPECT_EQ(test, m->client[0]->has.active[PDDGPU_ACCOUNT_GTT], 0);
	expect_all(test, m);
	/* It goes before the move is over */
	carry(m, 0);
	close(m, 0, 0);
	end(m, 0);
	land_move(m);
	expect_all(test, m);
}

/* The last job ends after its client */
static void account_test_outlived(struct kunit *test)
{
	struct account_model *m = test->priv;
	struct pddgpu_account_client *client = pddgpu_account_client_get(m->client[0]);

	begin(m, 0, SZ_1M, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_VRAM, false);
	open(test, m, 0, 0);
	open(test, m, 1, 0);
	take_off(m, 0, BIT(0));
	close(m, 0, 0);
	pddgpu_account_client_put(m->client[0]);
	pddgpu_account_worked(client, 1, 5);
	KUNIT_EXPECT_EQ(test, atomic64_read(&client->engine_ns[1]), 5);
	KUNIT_EXPECT_EQ(test, m->client[1]->has.active[PDDGPU_ACCOUNT_VRAM], SZ_1M);
	land(m, 0);
	KUNIT_EXPECT_EQ(test, m->client[1]->has.active[PDDGPU_ACCOUNT_VRAM], 0);
	pddgpu_account_client_put(client);
	m->client[0] = pddgpu_account_client_create();
	KUNIT_ASSERT_NOT_NULL(test, m->client[0]);
}

/* Between buffers that many share others get the lock, and not between those of one */
static void account_test_lock(struct kunit *test)
{
	struct account_model *m = test->priv;
	unsigned long before;
	u32 n, i;

	for (n = 0; n < NODES; n++) {
		begin(m, n, SZ_4K, PDDGPU_ACCOUNT_VRAM, PDDGPU_ACCOUNT_VRAM, false);
		open(test, m, 0, n);
	}
	take_off(m, 0, BIT(NODES) - 1);
	before = pddgpu_kunit_locks;
	land(m, 0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_locks - before, 1);
	expect_all(test, m);

	for (n = 0; n < NODES; n++) {
		for (i = 1; i < TOLD; i++)
			open(test, m, i % CLIENTS, n);
	}
	take_off(m, 0, BIT(NODES) - 1);
	before = pddgpu_kunit_locks;
	land(m, 0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_locks - before, NODES);
	expect_all(test, m);
}

static void change_buffer(struct account_model *m, u32 n)
{
	switch (below(m, 8)) {
	case 0:
		pddgpu_account_export(m->account, &m->node[n]);
		m->exported[n] = true;
		break;
	case 1:
	case 2:
		m->home[n] = below(m, PDDGPU_ACCOUNT_REGIONS);
		pddgpu_account_prefer(m->account, &m->node[n], m->home[n]);
		break;
	case 3:
		m->swapped[n] = !m->swapped[n];
		pddgpu_account_swap(m->account, &m->node[n], m->swapped[n]);
		break;
	default:
		move(m, n, below(m, PDDGPU_ACCOUNT_REGIONS), below(m, 2));
	}
}

static void step(struct kunit *test, struct account_model *m)
{
	u32 c = below(m, CLIENTS), n = below(m, NODES);

	if (!m->size[n]) {
		begin(m, n, (1 + below(m, 1000)) * SZ_4K, below(m, PDDGPU_ACCOUNT_REGIONS),
		      below(m, PDDGPU_ACCOUNT_REGIONS), !below(m, 8));
		return;
	}
	switch (below(m, 14)) {
	case 0:
	case 1:
	case 2:
		open(test, m, c, n);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		if (m->handles[c][n])
			close(m, c, n);
		else if (!all_handles(m, n))
			end(m, n);
		break;
	case 7:
	case 8:
		if (m->begun[c] - m->landed[c] < FLIGHTS)
			take_off(m, c, below(m, BIT(NODES)));
		break;
	case 9:
		if (m->landed[c] < m->begun[c])
			land(m, c);
		break;
	case 10:
		if (m->moves_begun - m->moves_landed < FLIGHTS)
			carry(m, n);
		break;
	case 11:
		if (m->moves_landed < m->moves_begun)
			land_move(m);
		break;
	default:
		change_buffer(m, n);
	}
}

static void account_test_histories(struct kunit *test)
{
	struct account_model *m = test->priv;
	u32 i;

	for (i = 0; i < STEPS; i++) {
		step(test, m);
		expect_all(test, m);
		if (!(i % 1000))
			cond_resched();
	}
}

static struct kunit_case account_test_cases[] = {
	KUNIT_CASE(account_test_alone),
	KUNIT_CASE(account_test_two_handles),
	KUNIT_CASE(account_test_records),
	KUNIT_CASE(account_test_flights),
	KUNIT_CASE(account_test_moves),
	KUNIT_CASE(account_test_outlived),
	KUNIT_CASE(account_test_lock),
	KUNIT_CASE_SLOW(account_test_histories),
	{}
};

static struct kunit_suite account_test_suite = {
	.name = "pddgpu_account",
	.init = account_test_init,
	.exit = account_test_exit,
	.test_cases = account_test_cases,
};

kunit_test_suite(account_test_suite);
