/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes the frames of a secret stream: a script writes some, damages them,
 * cuts them anywhere. The bytes read are those written, in order, until the
 * stream is broken for good. Does the same for unordered messages.
 */
#include "base/err.h"
#include "base/wire.h"
#include "fake_udx.h"
#include "world/sim_world.h"
#include "fuzz.h"
#include "stream/secret.h"

enum { STEPS = 8, BUDGET = 600000, MESSAGES = 300 };

struct rig {
	struct sim_world fw;
	struct timers ts;
	struct udx_stream from, to;
	struct secret *writer, *reader;
	struct frame_budget budget;
	uint64_t written, read; /* bytes of the plaintext */
	bool broken, damaged;
	uint32_t sent;
	bool seen[MESSAGES];
};

static void
set_up(struct rig *g)
{
	struct secret_keys keys = {.tx = {1}, .rx = {2}, .hash = {3}};

	memset(g, 0, sizeof *g);
	frame_budget_init(&g->budget, BUDGET);
	sim_world_init(&g->fw, NULL, 1);
	timers_init(&g->ts);
	fake_udx_init(&g->from);
	fake_udx_init(&g->to);
	keys.initiator = true;
	g->writer = secret_new(&g->fw.w, &g->ts, &g->from, &keys);
	keys = (struct secret_keys){.tx = {2}, .rx = {1}, .hash = {3}};
	g->reader = secret_new(&g->fw.w, &g->ts, &g->to, &keys);
	MUST(g->writer != NULL && g->reader != NULL);
	secret_set_budget(g->reader, &g->budget);
	MUST(secret_start(g->writer) == 0);
}

static void
tear_down(struct rig *g)
{
	secret_free(g->writer);
	secret_free(g->reader);
	MUST(g->budget.used == 0);
	fake_udx_fini(&g->from);
	fake_udx_fini(&g->to);
	timers_fini(&g->ts);
	sim_world_fini(&g->fw);
}

/* Returns the byte of the plaintext at that place. */
static uint8_t
plain_at(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 8));
}

static void
write_some(struct rig *g, uint32_t len)
{
	uint8_t *plain = malloc(len > 0 ? len : 1);
	int err;

	MUST(plain != NULL);
	for (uint32_t i = 0; i < len; i++)
		plain[i] = plain_at(g->written + i);
	err = secret_send(g->writer, plain, len);
	MUST(err == 0 || err == ERR_FULL || err == ERR_CLOSED);
	if (err == 0)
		g->written += len;
	free(plain);
}

/* Reads what is available, in pieces of so many bytes. */
static void
read_some(struct rig *g, uint32_t bite, bool messages)
{
	for (;;) {
		bool whole = false;
		int err;
		struct bytes b =
		    secret_peek(g->reader, messages ? &whole : NULL, &err);

		MUST(g->budget.used <= BUDGET);
		MUST(err == 0 || b.p == NULL);
		MUST(!g->broken || err != 0);
		g->broken = err != 0;
		if (b.p == NULL)
			break;
		MUST(messages || b.len > 0);
		if (b.len > bite)
			b.len = bite;
		for (size_t i = 0; i < b.len; i++)
			MUST(b.p[i] == plain_at(g->read + i));
		g->read += b.len;
		MUST(g->read <= g->written);
		secret_consume(g->reader, b.len);
	}
	/* A stream without damage never breaks. */
	MUST(!g->broken || g->damaged);
}

/* Delivers up to so many of the bytes written, as far as there is space. */
static void
carry(struct rig *g, size_t len)
{
	size_t room = udx_window(&g->to);

	if (len > g->from.out_len)
		len = g->from.out_len;
	if (len > room)
		len = room;
	fake_udx_feed(&g->to, g->from.out, len);
	memmove(g->from.out, g->from.out + len, g->from.out_len - len);
	g->from.out_len -= len;
	g->from.space += (ptrdiff_t)len;
}

static void
message(struct rig *g, const uint8_t *order, uint8_t flip)
{
	uint8_t out[UDX_MTU_MAX], copy[UDX_MTU_MAX];
	struct udx_message m;
	uint32_t n = g->sent++;
	ptrdiff_t got;

	if (n >= MESSAGES)
		return;
	MUST(secret_send_message(g->writer, &n, sizeof n) == 0 ||
	     g->from.ended_here);
	if (g->from.message == NULL || g->from.ended_here)
		return;
	memcpy(copy, g->from.message, g->from.message_len);
	m = (struct udx_message){.payload = {copy, g->from.message_len}};
	copy[*order % m.payload.len] ^= flip;
	for (int i = 0; i < 2; i++) {
		got = secret_open_message(g->reader, &m, out);
		if (flip != 0 || g->seen[n])
			MUST(got < 0);
		else
			MUST(got == sizeof n && memcmp(out, &n, got) == 0);
		g->seen[n] |= got >= 0;
	}
}

static void
step(struct rig *g, struct rd *r)
{
	uint8_t op = rd_u8(r);
	uint32_t arg = rd_le16(r);

	switch (op % STEPS) {
	case 0:
		write_some(g, arg << (op >> 5 & 3));
		break;
	case 1:
		carry(g, arg);
		read_some(g, (op >> 3) + 1u, op & 0x80);
		break;
	case 2:
		carry(g, SIZE_MAX);
		read_some(g, UINT32_MAX, op & 0x80);
		break;
	case 3: /* a forged frame */
		if (g->from.out_len > 0) {
			g->from.out[arg % g->from.out_len] ^= op | 1;
			g->damaged = true;
		}
		break;
	case 4:
		if (rd_left(r) >= arg % 64) {
			const uint8_t *lie = rd_take(r, arg % 64);

			fake_udx_feed(&g->to, lie, arg % 64);
			g->damaged |= arg % 64 > 0;
		}
		break;
	case 5:
		g->to.window = arg + 64u;
		g->to.piece = op & 0x40 ? arg % 2000 : 0;
		g->damaged |= (op & 0x80) != 0;
		if (op & 0x80)
			secret_set_frame_max(g->reader, arg);
		break;
	case 6:
		secret_set_keepalive(g->writer, arg);
		g->fw.w.now_us += (uint64_t)arg * (op >> 3) * 100;
		timers_run(&g->ts, g->fw.w.now_us);
		break;
	case 7:
		message(g, (uint8_t[]){(uint8_t)arg}, op >> 3);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig g;
	struct rd r = rd_init(data, size);

	set_up(&g);
	while (rd_ok(&r) && rd_left(&r) > 0)
		step(&g, &r);
	/* Then all of it arrives, in pieces of any size. */
	secret_end(g.writer);
	read_some(&g, UINT32_MAX, false);
	while (g.from.out_len > 0 && !g.broken) {
		MUST(udx_window(&g.to) > 0);
		carry(&g, SIZE_MAX);
		read_some(&g, UINT32_MAX, false);
	}
	g.to.ended_there = true;
	read_some(&g, UINT32_MAX, false);
	MUST(g.damaged || g.read == g.written);
	MUST(g.damaged || secret_ended(g.reader));
	tear_down(&g);
	return 0;
}
