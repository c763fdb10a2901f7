/* SPDX-License-Identifier: ISC */
/*
 * The secret stream against the golden bytes of the reference, whole, cut at
 * every byte and with every bit flipped; then two ends of ours, over a stream
 * without packets (fake_udx.h), for what protocol 07 §13 warns of (pitfalls E1
 * to E7).
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "world/alloc.h"
#include "base/err.h"
#include "fake_udx.h"
#include "net/libcrypto_cipher.h"
#include "world/sim_world.h"
#include "stream/secret.h"
#include "t.h"

#define FILE_NAME "secret-stream.json"

enum { SECOND_MS = 1000 };

/*
 * One end. The streams it sits on are of the same struct, so they move as one.
 */
struct end {
	struct udx_stream udx;
	struct secret *s;
};

static struct sim_world fw;
static struct timers timers;
static struct end initiator, responder;
static struct bulk_cipher *bulk; /* NULL: libsodium alone */

/* ---- set-up ---- */

/* A world whose random bytes are those of the vectors. */
struct scripted {
	struct world w;
	struct world_ops ops;
	uint8_t bytes[HEADER_INIT_LEN + 8];
	size_t used;
};

static void
scripted_random(struct world *w, void *out, size_t len)
{
	struct scripted *sw = (struct scripted *)(void *)w;

	ck_assert_uint_le(sw->used + len, sizeof sw->bytes);
	memcpy(out, sw->bytes + sw->used, len);
	sw->used += len;
}

static void
get_bytes(uint8_t *out, size_t want, const char *section, const char *name)
{
	size_t len;
	uint8_t *p = t_bytes(t_get(t_vectors(FILE_NAME), section), name, &len);

	ck_assert_uint_eq(len, want);
	memcpy(out, p, len);
	free(p);
}

static struct secret_keys
vector_keys(bool is_initiator)
{
	struct secret_keys k = {.initiator = is_initiator};
	uint8_t *there = is_initiator ? k.tx : k.rx;
	uint8_t *back = is_initiator ? k.rx : k.tx;

	get_bytes(there, 32, "inputs", "key_initiator_to_responder");
	get_bytes(back, 32, "inputs", "key_responder_to_initiator");
	get_bytes(k.hash, 64, "inputs", "handshake_hash");
	return k;
}

static void
vector_end(struct end *e, bool is_initiator)
{
	struct secret_keys k = vector_keys(is_initiator);
	struct scripted sw = {
	    .w.bulk_cipher = bulk, .ops.random = scripted_random};

	sw.w.ops = &sw.ops;
	get_bytes(sw.bytes, HEADER_INIT_LEN, "inputs",
	    is_initiator ? "secretstream_header_initiator"
			 : "secretstream_header_responder");
	get_bytes(sw.bytes + HEADER_INIT_LEN, 8, "inputs",
	    is_initiator ? "unordered_initial_counter_initiator"
			 : "unordered_initial_counter_responder");
	fake_udx_init(&e->udx);
	e->s = secret_new(&sw.w, &timers, &e->udx, &k);
	ck_assert_ptr_nonnull(e->s);
	e->s->world = &fw.w;
}

static void
end_fini(struct end *e)
{
	secret_free(e->s);
	fake_udx_fini(&e->udx);
}

static void
set_up(void)
{
	sim_world_init(&fw, NULL, 4);
	timers_init(&timers);
	vector_end(&initiator, true);
	vector_end(&responder, false);
}

/* Prepares a bulk cipher that processes frames of any length. */
static void
set_up_bulk(void)
{
	static const uint8_t zeros[BULK_KEY_LEN];

	bulk = libcrypto_cipher_new();
	ck_assert_ptr_nonnull(bulk);
	ck_assert(bulk->ops->start(bulk, zeros, zeros, LIBCRYPTO_LOAD_MIN));
	bulk->len_min = 0;
	set_up();
}

static void
tear_down(void)
{
	end_fini(&initiator);
	end_fini(&responder);
	libcrypto_cipher_free(bulk);
	timers_fini(&timers);
	sim_world_fini(&fw);
}

/* Both have started and read the other's header. */
static void
open_both(void)
{
	int err;

	ck_assert_int_eq(secret_start(initiator.s), 0);
	ck_assert_int_eq(secret_start(responder.s), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	fake_udx_carry(&responder.udx, &initiator.udx);
	ck_assert_ptr_null(secret_peek(initiator.s, NULL, &err).p);
	ck_assert_int_eq(err, 0);
	ck_assert_ptr_null(secret_peek(responder.s, NULL, &err).p);
	ck_assert_int_eq(err, 0);
	ck_assert(secret_opened(initiator.s) && secret_opened(responder.s));
}

static void
advance_ms(uint64_t ms)
{
	uint64_t until = fw.w.now_us + ms * 1000;

	while (timers_deadline(&timers) <= until) {
		fw.w.now_us = timers_deadline(&timers);
		timers_run(&timers, fw.w.now_us);
	}
	fw.w.now_us = until;
	timers.now_us = until;
}

/* ---- reading ---- */

/* The next message is this one; it is consumed. */
static void
expect_message(struct end *e, const void *p, size_t len)
{
	bool whole;
	int err;
	struct bytes b = secret_peek(e->s, &whole, &err);

	ck_assert_int_eq(err, 0);
	ck_assert_ptr_nonnull(b.p);
	ck_assert(whole);
	ck_assert_uint_eq(b.len, len);
	ck_assert(len == 0 || memcmp(b.p, p, len) == 0);
	secret_consume(e->s, len);
}

static void
expect_hex(struct end *e, const char *hex)
{
	size_t len;
	uint8_t *want = t_hex(hex, &len);

	expect_message(e, want, len);
	free(want);
}

static void
expect_nothing(struct end *e)
{
	bool whole;
	int err;

	ck_assert_ptr_null(secret_peek(e->s, &whole, &err).p);
	ck_assert_int_eq(err, 0);
}

static void
expect_error(struct end *e, int want)
{
	bool whole;
	int err;

	for (int i = 0; i < 2; i++) { /* it stays */
		ck_assert_ptr_null(secret_peek(e->s, &whole, &err).p);
		ck_assert_int_eq(err, want);
	}
}

static void
feed_hex(struct end *e, const char *hex)
{
	size_t len;
	uint8_t *p = t_hex(hex, &len);

	fake_udx_feed(&e->udx, p, len);
	free(p);
}

/* ---- golden bytes ---- */

START_TEST(namespaces_derive)
{
	static const char *const names[] = {
	    "NS_INITIATOR", "NS_RESPONDER", "NS_SEND"};
	uint8_t in[33], ns[32], id[32];
	struct secret_keys k = vector_keys(true);

	crypto_generichash(
	    in, 32, (const uint8_t *)"hyperswarm/secret-stream", 24, NULL, 0);
	for (uint8_t i = 0; i < 3; i++) {
		in[32] = i;
		crypto_generichash(ns, 32, in, 33, NULL, 0);
		t_assert_hex(ns, 32,
		    t_string(
			t_get(t_vectors(FILE_NAME), "namespaces"), names[i]));
		crypto_generichash(id, 32, ns, 32, k.hash, 64);
		if (i == 0)
			ck_assert_mem_eq(id, responder.s->reader.peer_id, 32);
		if (i == 1)
			ck_assert_mem_eq(id, initiator.s->reader.peer_id, 32);
	}
}
END_TEST

START_TEST(keys_are_golden)
{
	const json_t *derived = t_get(t_vectors(FILE_NAME), "derived");

	t_assert_hex(responder.s->reader.peer_id, SECRET_ID_LEN,
	    t_string(derived, "stream_id_initiator"));
	t_assert_hex(initiator.s->reader.peer_id, SECRET_ID_LEN,
	    t_string(derived, "stream_id_responder"));
	t_assert_hex(initiator.s->messages.tx_key, SECRET_KEY_LEN,
	    t_string(derived, "unordered_key_initiator_to_responder"));
	t_assert_hex(initiator.s->messages.rx_key, SECRET_KEY_LEN,
	    t_string(derived, "unordered_key_responder_to_initiator"));
}
END_TEST

START_TEST(headers_are_golden) /* pitfall E1 */
{
	const json_t *frames = t_get(t_vectors(FILE_NAME), "header_frames");

	ck_assert_int_eq(secret_start(initiator.s), 0);
	ck_assert_int_eq(secret_start(responder.s), 0);
	t_assert_hex(initiator.udx.out, initiator.udx.out_len,
	    t_string(frames, "initiator"));
	t_assert_hex(responder.udx.out, responder.udx.out_len,
	    t_string(frames, "responder"));
}
END_TEST

static bool
from_initiator(const json_t *row)
{
	return strcmp(t_string(row, "from"), "initiator") == 0;
}

START_TEST(frames_are_golden)
{
	int rows = t_rows(FILE_NAME, "frames");

	open_both();
	for (int i = 0; i < rows; i++) {
		const json_t *row = t_row(FILE_NAME, "frames", i);
		struct end *from = &initiator, *to = &responder;
		size_t len;
		uint8_t *plain = t_bytes(row, "plaintext_hex", &len);

		if (!from_initiator(row)) {
			from = &responder;
			to = &initiator;
		}
		ck_assert_int_eq(secret_send(from->s, plain, len), 0);
		t_assert_hex(from->udx.out, from->udx.out_len,
		    t_string(row, "frame_hex"));
		fake_udx_carry(&from->udx, &to->udx);
		expect_message(to, plain, len);
		expect_nothing(to);
		free(plain);
	}
}
END_TEST

/* The whole stream of the vectors, in pieces of the given sizes. */
static void
check_split(const json_t *received, size_t (*next)(void *), void *arg)
{
	const json_t *all = t_get(t_vectors(FILE_NAME), "reassembly");
	size_t len, at = 0, seen = 0, n, i;
	uint8_t *stream = t_bytes(all, "stream_hex", &len);

	while (at < len) {
		bool whole;
		int err;

		n = next(arg);
		if (n > len - at)
			n = len - at;
		fake_udx_feed(&responder.udx, stream + at, n);
		at += n;
		while (secret_peek(responder.s, &whole, &err).p != NULL)
			expect_hex(&responder, json_string_value(json_array_get(
						   received, seen++)));
		ck_assert_int_eq(err, 0);
	}
	i = json_array_size(received);
	ck_assert_uint_eq(seen, i);
	ck_assert_uint_eq(responder.udx.in_len, 0);
	free(stream);
}

struct sizes {
	const json_t *list; /* NULL: ones */
	size_t i;
};

static size_t
next_size(void *arg)
{
	struct sizes *s = arg;

	if (s->list == NULL)
		return 1;
	return (size_t)json_integer_value(json_array_get(s->list, s->i++));
}

START_TEST(splits_are_golden) /* pitfall E3 */
{
	const json_t *row = json_array_get(
	    t_get(t_get(t_vectors(FILE_NAME), "reassembly"), "splits"),
	    (size_t)_i);
	struct sizes s = {json_object_get(row, "sizes"), 0};

	check_split(t_get(row, "received"), next_size, &s);
}
END_TEST

static size_t
next_random(void *arg)
{
	return prng_below(arg, 40);
}

START_TEST(any_split_will_do) /* pitfall E3 */
{
	const json_t *row = json_array_get(
	    t_get(t_get(t_vectors(FILE_NAME), "reassembly"), "splits"), 0);
	struct prng r = prng_seeded((uint64_t)_i);

	check_split(t_get(row, "received"), next_random, &r);
}
END_TEST

/* Why each of the malformed streams is refused; 0: it is not. */
static const struct {
	const char *name;
	int err;
} malformed[] = {
    {"header-wrong-id", ERR_SIGNATURE},
    {"header-own-id", ERR_SIGNATURE},
    {"header-too-short", ERR_MALFORMED},
    {"header-too-long", ERR_MALFORMED},
    {"header-empty", ERR_MALFORMED},
    {"data-before-header", ERR_MALFORMED},
    {"frame-too-short", ERR_MALFORMED},
    {"frame-bad-mac", ERR_SIGNATURE},
    {"frame-bad-ciphertext", ERR_SIGNATURE},
    {"frame-replayed", ERR_SIGNATURE},
    {"frame-skipped", ERR_SIGNATURE},
    {"frame-truncated", 0},
    {"huge-length", 0},
    {"keepalive-filtered", 0},
    {"tag-push", 0},
    {"tag-rekey", 0},
    {"tag-final", 0},
};

static const json_t *
malformed_row(const char *name)
{
	int rows = t_rows(FILE_NAME, "malformed");

	for (int i = 0; i < rows; i++) {
		const json_t *row = t_row(FILE_NAME, "malformed", i);

		if (strcmp(t_string(row, "name"), name) == 0)
			return row;
	}
	ck_abort_msg("no vector %s", name);
}

START_TEST(malformed_is_refused)
{
	const json_t *row = malformed_row(malformed[_i].name);
	const json_t *inputs = t_get(row, "input_hex");
	const json_t *results = t_get(row, "result");
	size_t n = json_array_size(inputs);

	if (strcmp(malformed[_i].name, "keepalive-filtered") == 0)
		secret_set_keepalive(responder.s, 5000);
	for (size_t i = 0; i < n; i++)
		feed_hex(
		    &responder, json_string_value(json_array_get(inputs, i)));
	n = json_array_size(results);
	for (size_t i = 0; i < n; i++) {
		const json_t *event = json_array_get(results, i);

		if (strcmp(t_string(event, "event"), "data") == 0)
			expect_hex(&responder, t_string(event, "hex"));
	}
	if (malformed[_i].err == 0)
		expect_nothing(&responder);
	else
		expect_error(&responder, malformed[_i].err);
}
END_TEST

/* The initiator's header, and the frames of its plaintexts, to be damaged. */
static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	bool whole;
	int err;

	(void)arg;
	end_fini(&responder);
	vector_end(&responder, false);
	fake_udx_feed(&responder.udx, buf, len);
	/* Only a true prefix may come out, whatever else is wrong. */
	for (const char *want = "hello";; want = "world") {
		struct bytes b = secret_peek(responder.s, &whole, &err);

		if (b.p == NULL)
			break;
		ck_assert_uint_eq(b.len, 5);
		ck_assert_mem_eq(b.p, want, 5);
		secret_consume(responder.s, 5);
	}
	/* Cut: it waits. Flipped: an error, or a length that waits. */
	responder.udx.ended_there = true;
	(void)secret_peek(responder.s, &whole, &err);
	if (responder.udx.in_len > 0)
		ck_assert_int_ne(err, 0);
}

START_TEST(damage_never_gets_through)
{
	size_t len;
	uint8_t *row;

	ck_assert_int_eq(secret_start(initiator.s), 0);
	ck_assert_int_eq(secret_send(initiator.s, "hello", 5), 0);
	ck_assert_int_eq(secret_send(initiator.s, "world", 5), 0);
	len = initiator.udx.out_len;
	row = t_copy(initiator.udx.out, len);
	t_damage(row, len, take_damaged, NULL);
	free(row);
}
END_TEST

START_TEST(reflection_is_refused) /* pitfall E1 */
{
	ck_assert_int_eq(secret_start(responder.s), 0);
	fake_udx_carry(&responder.udx, &responder.udx);
	expect_error(&responder, ERR_SIGNATURE);
}
END_TEST

START_TEST(ten_frames_at_once) /* pitfall E3 */
{
	open_both();
	for (uint8_t i = 0; i < 10; i++)
		ck_assert_int_eq(secret_send(initiator.s, &i, 1), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	for (uint8_t i = 0; i < 10; i++)
		expect_message(&responder, &i, 1);
	expect_nothing(&responder);
}
END_TEST

/* ---- two ends ---- */

START_TEST(early_writes_arrive) /* pitfall E2 */
{
	ck_assert_int_eq(secret_start(initiator.s), 0);
	ck_assert_int_eq(secret_write(initiator.s, "first", 5), 5);
	ck_assert(!secret_opened(initiator.s));
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_message(&responder, "first", 5);
	ck_assert(secret_opened(responder.s));
}
END_TEST

START_TEST(the_key_of_the_peer_is_wiped)
{
	ck_assert(!sodium_is_zero(responder.s->reader.rx_key, SECRET_KEY_LEN));
	open_both();
	ck_assert(sodium_is_zero(responder.s->reader.rx_key, SECRET_KEY_LEN));
}
END_TEST

START_TEST(a_frame_is_read_in_bites)
{
	const uint8_t *p;
	bool whole;
	int err;

	open_both();
	ck_assert_int_eq(secret_write(initiator.s, "abcdef", 6), 6);
	fake_udx_carry(&initiator.udx, &responder.udx);
	p = secret_peek(responder.s, &whole, &err).p;
	ck_assert(whole && memcmp(p, "abcdef", 6) == 0);
	secret_consume(responder.s, 2);
	/* It moves as more arrives, and is not opened twice. */
	ck_assert_int_eq(secret_write(initiator.s, "gh", 2), 2);
	fake_udx_carry(&initiator.udx, &responder.udx);
	p = secret_peek(responder.s, &whole, &err).p;
	ck_assert(!whole && memcmp(p, "cdef", 4) == 0);
	secret_consume(responder.s, 4);
	expect_message(&responder, "gh", 2);
}
END_TEST

START_TEST(writes_obey_the_room)
{
	static uint8_t much[2 * SECRET_WRITE_MAX];

	open_both();
	ck_assert_uint_eq(secret_space(initiator.s), SECRET_WRITE_MAX);
	ck_assert_int_eq(
	    secret_write(initiator.s, much, sizeof much), SECRET_WRITE_MAX);
	initiator.udx.space = UDX_SPACE_MIN;
	ck_assert_uint_eq(secret_space(initiator.s), UDX_SPACE_MIN - 20);
	ck_assert_int_eq(
	    secret_write(initiator.s, much, sizeof much), UDX_SPACE_MIN - 20);
	ck_assert_uint_eq(secret_space(initiator.s), 0);
	ck_assert_int_eq(secret_write(initiator.s, much, 1), 0);
	ck_assert_int_eq(secret_send(initiator.s, much, 1), ERR_FULL);
	/* A message cannot be cut: any room will do. */
	initiator.udx.space = UDX_SPACE_MIN;
	ck_assert_int_eq(secret_send(initiator.s, much, sizeof much), 0);
	ck_assert_int_eq(secret_send(initiator.s, much, 1), ERR_FULL);
	ck_assert_int_eq(
	    secret_send(initiator.s, NULL, SECRET_FRAME_MAX - 16), ERR_SIZE);
}
END_TEST

START_TEST(lack_of_memory_is_told)
{
	initiator.udx.no_memory = true;
	ck_assert_int_eq(secret_start(initiator.s), ERR_MEMORY);
	initiator.udx.no_memory = false;
	ck_assert_int_eq(secret_start(initiator.s), 0);
	initiator.udx.no_memory = true;
	ck_assert_int_eq(secret_write(initiator.s, "x", 1), ERR_MEMORY);
	ck_assert_int_eq(secret_send(initiator.s, "x", 1), ERR_MEMORY);
	initiator.udx.no_memory = false;
	/* Nothing was sealed that did not leave. */
	ck_assert_int_eq(secret_write(initiator.s, "y", 1), 1);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_message(&responder, "y", 1);
}
END_TEST

START_TEST(the_end_needs_no_frame)
{
	open_both();
	ck_assert_int_eq(secret_write(initiator.s, "bye", 3), 3);
	secret_end(initiator.s);
	ck_assert_uint_eq(initiator.udx.out_len, 3 + SECRET_OVERHEAD);
	ck_assert_int_eq(secret_write(initiator.s, "x", 1), ERR_CLOSED);
	ck_assert_int_eq(secret_send(initiator.s, "x", 1), ERR_CLOSED);
	ck_assert_int_eq(secret_send_message(initiator.s, "x", 1), ERR_CLOSED);
	ck_assert_uint_eq(secret_space(initiator.s), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	ck_assert(!secret_ended(responder.s));
	expect_message(&responder, "bye", 3);
	ck_assert(secret_ended(responder.s));
	expect_nothing(&responder);
}
END_TEST

START_TEST(an_end_within_a_frame_is_an_error)
{
	open_both();
	ck_assert_int_eq(secret_write(initiator.s, "bye", 3), 3);
	initiator.udx.out_len -= (size_t)_i;
	secret_end(initiator.s);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_error(&responder, ERR_MALFORMED);
}
END_TEST

/* ---- large frames ---- */

/* Seals one frame of n bytes and feeds it in steps; returns its plaintext. */
static uint8_t *
large_frame(size_t n, size_t step, uint64_t pause_ms)
{
	uint8_t *plain = calloc(1, n);
	size_t len = n + SECRET_OVERHEAD, at = 0;

	ck_assert_ptr_nonnull(plain);
	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)(i * 7 >> 3);
	ck_assert_int_eq(secret_send(initiator.s, plain, n), 0);
	for (; at < len; at += step) {
		size_t take = step < len - at ? step : len - at;

		expect_nothing(&responder);
		ck_assert_uint_le(take, udx_window(&responder.udx));
		fake_udx_feed(&responder.udx, initiator.udx.out + at, take);
		advance_ms(pause_ms);
	}
	fake_udx_sent(&initiator.udx);
	return plain;
}

START_TEST(a_large_frame_is_gathered)
{
	static const size_t sizes[] = {16384, 65536, 65537, 262144, 1000000,
	    SECRET_FRAME_MAX - FRAME_SEAL_LEN};
	struct frame_budget budget;
	uint8_t *plain;

	open_both();
	frame_budget_init(&budget, SECRET_FRAME_MAX);
	secret_set_budget(responder.s, &budget);
	responder.udx.window = 65536;
	plain = large_frame(sizes[_i], 30000, 0);
	expect_message(&responder, plain, sizes[_i]);
	ck_assert_uint_eq(budget.used, 0);
	ck_assert_ptr_null(responder.s->reader.gather.buf);
	free(plain);
	/* What comes behind it is read as ever. */
	ck_assert_int_eq(secret_send(initiator.s, "x", 1), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_message(&responder, "x", 1);
}
END_TEST

/* What arrived in pieces is read as one, and joined only for libsodium. */
START_TEST(frames_in_pieces_are_read)
{
	static const size_t pieces[] = {1, 3, 4, 60, 100, 1000, 1432, 60000};
	static const size_t sizes[] = {0, 1, 500, 5000, 65519};

	open_both();
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		uint8_t *plain = malloc(n + 1);
		uint64_t copied;

		ck_assert_ptr_nonnull(plain);
		prng_fill(&fw.rand, plain, n);
		ck_assert_int_eq(secret_send(initiator.s, plain, n), 0);
		responder.udx.piece = pieces[_i];
		fake_udx_carry(&initiator.udx, &responder.udx);
		copied = responder.udx.copied;
		expect_message(&responder, plain, n);
		copied = responder.udx.copied - copied;
		if (bulk != NULL && pieces[_i] >= 1000)
			ck_assert_uint_eq(copied, 0);
		free(plain);
	}
	expect_nothing(&responder);
}
END_TEST

START_TEST(a_length_costs_nothing) /* pitfall E4 */
{
	struct bytes b;
	bool whole;
	int err;

	open_both();
	feed_hex(&responder, "ffffff");
	alloc_count = 0;
	alloc_counting = true;
	b = secret_peek(responder.s, &whole, &err);
	alloc_counting = false;
	ck_assert_ptr_null(b.p);
	ck_assert_int_eq(err, 0);
	/* The buffer of the fake stream moved as the length was consumed. */
	ck_assert_uint_eq(alloc_count, 1);
	ck_assert_uint_eq(responder.s->reader.gather.cap, 0);
	/* As bytes come, no more is taken than twice what has come. */
	for (int i = 1; i <= 64; i++) {
		uint8_t some[20000] = {0};

		fake_udx_feed(&responder.udx, some, sizeof some);
		expect_nothing(&responder);
		ck_assert_uint_le(responder.s->reader.gather.cap,
		    2u * (unsigned)i * sizeof some + 65536);
	}
}
END_TEST

START_TEST(a_cap_on_frames_holds) /* pitfall E4 */
{
	open_both();
	secret_set_frame_max(responder.s, 1000);
	ck_assert_int_eq(secret_send(initiator.s, (uint8_t[983]){0}, 983), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_message(&responder, (uint8_t[983]){0}, 983);
	ck_assert_int_eq(secret_send(initiator.s, (uint8_t[984]){0}, 984), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_error(&responder, ERR_SIZE);
}
END_TEST

START_TEST(a_budget_for_all_holds)
{
	struct frame_budget budget;
	bool whole;
	int err = 0;

	open_both();
	frame_budget_init(&budget, 400000);
	budget.used = 100000;
	secret_set_budget(responder.s, &budget);
	feed_hex(&responder, "ffff0f");
	for (int i = 0; i < 100 && err == 0; i++) {
		uint8_t some[10000] = {0};

		fake_udx_feed(&responder.udx, some, sizeof some);
		(void)secret_peek(responder.s, &whole, &err);
		ck_assert_uint_le(budget.used, budget.max);
	}
	ck_assert_int_eq(err, ERR_LIMIT);
	ck_assert_uint_eq(budget.used, 100000);
}
END_TEST

/* ---- frames of many peers, and one budget ---- */

enum { ENDS = 6, BUDGET = 4 << 20 };

static struct frame_budget shared;
static struct end others[ENDS];

/* All of them opened by the same header, as if by as many peers. */
static void
open_others(void)
{
	frame_budget_init(&shared, BUDGET);
	ck_assert_int_eq(secret_start(initiator.s), 0);
	ck_assert_int_eq(secret_start(responder.s), 0);
	for (int i = 0; i < ENDS; i++) {
		vector_end(&others[i], false);
		others[i].udx.to = addr_v4(192, 0, (uint8_t)i, 1, 4000);
		secret_set_budget(others[i].s, &shared);
		fake_udx_feed(
		    &others[i].udx, initiator.udx.out, initiator.udx.out_len);
		expect_nothing(&others[i]);
	}
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_nothing(&responder);
	responder.udx.to = addr_v4(198, 51, 100, 1, 4000);
	secret_set_budget(responder.s, &shared);
}

static void
close_others(void)
{
	for (int i = 0; i < ENDS; i++)
		end_fini(&others[i]);
	frame_reader_fini(&responder.s->reader);
	ck_assert_uint_eq(shared.used, 0);
	ck_assert(TAILQ_EMPTY(&shared.shares));
}

/* The largest frame there is, and so many bytes of it. */
static int
send_half(struct end *e, size_t len)
{
	static uint8_t zeros[65536];
	size_t take;
	bool whole;
	int err = 0;

	if (e->s->reader.gather.want == 0)
		feed_hex(e, "ffffff");
	for (; len > 0 && err == 0; len -= take) {
		take = len < sizeof zeros ? len : sizeof zeros;
		fake_udx_feed(&e->udx, zeros, take);
		(void)secret_peek(e->s, &whole, &err);
		ck_assert_uint_le(shared.used, BUDGET);
	}
	return err;
}

/*
 * What half-sent frames of many peers hold is bounded: by the share of a /24 if
 * all are in one, by the budget otherwise. An honest frame of another /24,
 * which is smaller, is received.
 */
START_TEST(half_sent_frames_are_bounded)
{
	uint64_t most = 0;
	uint8_t *plain;

	open_others();
	shared.prefix_max = BUDGET / 2;
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < ENDS; i++) {
			if (_i == 1)
				others[i].udx.to.ip[2] = 0;
			(void)send_half(&others[i], 400000);
			if (shared.used > most)
				most = shared.used;
			ck_assert_uint_le(
			    shared.used, _i == 1 ? BUDGET / 2 : BUDGET);
		}
	ck_assert_uint_gt(most, BUDGET / 4);
	responder.udx.window = 65536;
	plain = large_frame(300000, 30000, 0);
	expect_message(&responder, plain, 300000);
	free(plain);
	close_others();
}
END_TEST

/* Half-sent frames of some take all there is; an honest one comes through all
 * the same, and only they pay for it: from one network, or from many. */
START_TEST(half_sent_frames_hurt_their_senders)
{
	uint8_t *plain;
	unsigned broken = 0;
	int err;

	open_others();
	for (int i = 0; i < ENDS; i++) {
		if (_i == 1)
			others[i].udx.to.ip[2] = 0;
		(void)send_half(&others[i], BUDGET / ENDS + 100000);
	}
	ck_assert_uint_gt(shared.used, BUDGET / 2);
	responder.udx.window = 65536;
	plain = large_frame(500000, 30000, 0);
	expect_message(&responder, plain, 500000);
	free(plain);
	for (int i = 0; i < ENDS; i++) {
		ck_assert_ptr_null(secret_peek(others[i].s, NULL, &err).p);
		ck_assert(err == 0 || err == ERR_LIMIT);
		broken += err != 0;
		/* What was given up looks like no end. */
		others[i].udx.ended_there = true;
		if (err != 0)
			ck_assert(!secret_ended(others[i].s));
	}
	ck_assert_uint_ge(broken, 1);
	close_others();
}
END_TEST

/* Of the same network the largest frame goes; the small ones stay. */
START_TEST(the_largest_frame_goes_first)
{
	open_others();
	for (int i = 0; i < ENDS; i++)
		others[i].udx.to.ip[2] = 0;
	ck_assert_int_eq(send_half(&others[0], 2 << 20), 0);
	ck_assert_int_eq(send_half(&others[1], 1 << 20), 0);
	ck_assert_int_eq(send_half(&others[2], 1 << 19), 0);
	ck_assert_int_eq(send_half(&others[3], 1 << 19), 0);
	ck_assert_int_eq(send_half(&others[4], 1 << 18), 0);
	ck_assert_ptr_null(others[0].s->reader.gather.buf);
	ck_assert_uint_eq(others[0].udx.in_len, 0);
	ck_assert_ptr_nonnull(others[1].s->reader.gather.buf);
	/* A stream that would hold the most is refused itself. */
	ck_assert_int_eq(send_half(&others[5], 3 << 20), ERR_LIMIT);
	ck_assert_ptr_nonnull(others[1].s->reader.gather.buf);
	close_others();
}
END_TEST

/* Any peers, any pieces: the accounts hold. */
START_TEST(a_shared_budget_is_never_exceeded)
{
	struct prng dice = prng_seeded((uint64_t)_i + 1);

	open_others();
	for (int i = 0; i < 300; i++) {
		struct end *e = &others[prng_below(&dice, ENDS)];
		uint64_t sum = 0;

		e->udx.to.ip[2] = (uint8_t)prng_below(&dice, 3);
		if (prng_below(&dice, 20) == 0)
			shared.max = (1 + prng_below(&dice, 4)) << 20;
		(void)send_half(e, prng_below(&dice, 200000));
		for (int k = 0; k < ENDS; k++) {
			ck_assert_uint_eq(others[k].s->reader.account.held,
			    others[k].s->reader.gather.cap);
			sum += others[k].s->reader.account.held;
		}
		ck_assert_uint_eq(sum, shared.used);
		if (e->s->reader.err != 0) {
			end_fini(e);
			vector_end(e, false);
			secret_set_budget(e->s, &shared);
			e->s->reader.opened = true;
		}
	}
	close_others();
}
END_TEST

START_TEST(a_gathered_frame_that_ends_early_is_an_error)
{
	open_both();
	feed_hex(&responder, "ffffff00");
	expect_nothing(&responder);
	responder.udx.ended_there = true;
	expect_error(&responder, ERR_MALFORMED);
	ck_assert(!secret_ended(responder.s));
}
END_TEST

START_TEST(a_slow_frame_is_waited_for) /* pitfall E6 */
{
	uint8_t *plain;

	open_both();
	secret_set_keepalive(responder.s, 5000);
	plain = large_frame(1 << 20, 10000, SECOND_MS);
	expect_message(&responder, plain, 1 << 20);
	free(plain);
}
END_TEST

/* ---- keep-alive ---- */

START_TEST(keepalive_follows_writes_alone) /* pitfall E5 */
{
	size_t sent = 0;

	open_both();
	secret_set_keepalive(initiator.s, 5000);
	/* One way: the initiator reads for 60 s and writes nothing. */
	for (int i = 0; i < 60; i++) {
		ck_assert_int_eq(secret_write(responder.s, "x", 1), 1);
		fake_udx_carry(&responder.udx, &initiator.udx);
		expect_message(&initiator, "x", 1);
		advance_ms(SECOND_MS);
		sent += initiator.udx.out_len;
		fake_udx_carry(&initiator.udx, &responder.udx);
	}
	ck_assert_uint_ge(sent, 12 * SECRET_OVERHEAD);
	ck_assert_uint_le(sent, 13 * SECRET_OVERHEAD);
	ck_assert_uint_eq(sent % SECRET_OVERHEAD, 0);
	/* The responder has no keep-alive and gets them as empty frames. */
	for (; sent > 0; sent -= SECRET_OVERHEAD)
		expect_message(&responder, NULL, 0);
	expect_nothing(&responder);
	/* A stream that writes often enough sends none. */
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(secret_write(initiator.s, "x", 1), 1);
		advance_ms(4500);
	}
	ck_assert_uint_eq(initiator.udx.out_len, 20 * 21);
}
END_TEST

START_TEST(keepalive_swallows_the_peers) /* pitfall E5 */
{
	open_both();
	secret_set_keepalive(responder.s, 5000);
	ck_assert_int_eq(secret_send(initiator.s, NULL, 0), 0);
	ck_assert_int_eq(secret_send(initiator.s, "x", 1), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	expect_message(&responder, "x", 1);
	expect_nothing(&responder);
}
END_TEST

START_TEST(a_byte_reader_sees_no_empty_frames)
{
	struct bytes b;
	int err;

	open_both();
	ck_assert_int_eq(secret_send(initiator.s, NULL, 0), 0);
	ck_assert_int_eq(secret_send(initiator.s, "x", 1), 0);
	fake_udx_carry(&initiator.udx, &responder.udx);
	b = secret_peek(responder.s, NULL, &err);
	ck_assert(b.len == 1 && b.p[0] == 'x');
}
END_TEST

START_TEST(keepalive_stops_at_the_end) /* pitfall E5 */
{
	open_both();
	secret_set_keepalive(initiator.s, 5000);
	secret_end(initiator.s);
	secret_set_keepalive(initiator.s, 1000);
	advance_ms(60 * SECOND_MS);
	ck_assert_uint_eq(initiator.udx.out_len, 0);
	ck_assert_uint_eq(timers_deadline(&timers), WORLD_NEVER);
}
END_TEST

START_TEST(keepalive_can_be_turned_off)
{
	open_both();
	secret_set_keepalive(initiator.s, 5000);
	secret_set_keepalive(initiator.s, 0);
	advance_ms(60 * SECOND_MS);
	ck_assert_uint_eq(initiator.udx.out_len, 0);
}
END_TEST

START_TEST(keepalive_without_room_waits)
{
	open_both();
	secret_set_keepalive(initiator.s, 5000);
	initiator.udx.space = 0;
	advance_ms(12 * SECOND_MS);
	ck_assert_uint_eq(initiator.udx.out_len, 0);
	initiator.udx.space = UDX_SPACE_MIN;
	advance_ms(5 * SECOND_MS);
	ck_assert_uint_eq(initiator.udx.out_len, SECRET_OVERHEAD);
}
END_TEST

START_TEST(keepalives_of_many_share_wakeups)
{
	enum { MANY = 1000 };
	static struct end many[MANY];
	struct prng r = prng_seeded(1);
	uint64_t until;
	int wakeups = 0;

	for (int i = 0; i < MANY; i++) {
		vector_end(&many[i], true);
		ck_assert_int_eq(secret_start(many[i].s), 0);
		fake_udx_sent(&many[i].udx);
		secret_set_keepalive(many[i].s, 5000);
		advance_ms(prng_below(&r, 10));
	}
	until = fw.w.now_us + 60 * 1000000;
	for (; timers_deadline(&timers) < until; wakeups++) {
		fw.w.now_us = timers_deadline(&timers);
		timers_run(&timers, fw.w.now_us);
	}
	ck_assert_int_le(wakeups, 60 / 5 * 17);
	for (int i = 0; i < MANY; i++) {
		/* 11 at least of 12, none too many: a NAT would not notice. */
		ck_assert_uint_ge(many[i].udx.out_len, 11 * SECRET_OVERHEAD);
		ck_assert_uint_le(many[i].udx.out_len, 14 * SECRET_OVERHEAD);
		end_fini(&many[i]);
	}
}
END_TEST

START_TEST(an_idle_stream_is_small)
{
	ck_assert_uint_le(sizeof(struct secret), 768);
}
END_TEST

/* ---- unordered messages ---- */

static ptrdiff_t
open_message(struct end *e, const uint8_t *p, size_t len, uint8_t *out)
{
	struct udx_message m = {.payload = {p, len}};

	return secret_open_message(e->s, &m, out);
}

START_TEST(messages_are_golden) /* pitfall E7 */
{
	int rows = t_rows(FILE_NAME, "unordered");

	for (int i = 0; i < rows; i++) {
		const json_t *row = t_row(FILE_NAME, "unordered", i);
		struct end *from = &initiator, *to = &responder;
		uint8_t out[64], *plain;
		size_t len;

		if (!from_initiator(row)) {
			from = &responder;
			to = &initiator;
		}
		plain = t_bytes(row, "plaintext_hex", &len);
		ck_assert_int_eq(secret_send_message(from->s, plain, len), 0);
		t_assert_hex(from->udx.message, from->udx.message_len,
		    t_string(row, "payload_hex"));
		ck_assert_int_eq(open_message(to, from->udx.message,
				     from->udx.message_len, out),
		    (int)len);
		ck_assert(len == 0 || memcmp(out, plain, len) == 0);
		/* Its own sender must not take it for the peer's. */
		ck_assert_int_lt(open_message(from, from->udx.message,
				     from->udx.message_len, out),
		    0);
		free(plain);
	}
}
END_TEST

static void
take_damaged_message(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[64];

	(void)arg;
	ck_assert_int_lt(open_message(&responder, buf, len, out), 0);
}

START_TEST(damaged_messages_do_not_open)
{
	const json_t *row = t_row(FILE_NAME, "unordered", 0);
	uint8_t out[64], *payload;
	size_t len;

	payload = t_bytes(row, "payload_hex", &len);
	t_damage(payload, len, take_damaged_message, NULL);
	/* Nor have they moved the window. */
	ck_assert_int_eq(open_message(&responder, payload, len, out), 4);
	free(payload);
}
END_TEST

START_TEST(messages_too_short_or_long)
{
	uint8_t buf[UDX_MTU_MAX] = {0}, out[64];

	ck_assert_int_eq(open_message(&responder, NULL, 0, out), ERR_SIZE);
	ck_assert_int_eq(open_message(&responder, buf, 23, out), ERR_SIZE);
	ck_assert_int_eq(open_message(&responder, buf, 24, out), ERR_SIGNATURE);
	ck_assert_int_eq(secret_send_message(initiator.s, buf,
			     UDX_MTU_MAX - SECRET_MESSAGE_OVERHEAD + 1),
	    ERR_TOO_BIG);
	ck_assert_int_eq(secret_send_message(initiator.s, buf,
			     UDX_MTU_MAX - SECRET_MESSAGE_OVERHEAD),
	    0);
}
END_TEST

/* Many messages in random order with repetitions: each opens at most once,
 * and at least once if it is not older than what the window must hold. */
START_TEST(replays_are_refused) /* pitfall E7 */
{
	enum { MANY = 2000, LATE = 64 };
	static uint8_t sent[MANY][SECRET_MESSAGE_OVERHEAD];
	static bool seen[MANY];
	struct prng r = prng_seeded((uint64_t)_i);
	uint32_t top = 0;
	uint8_t out[64];

	memset(seen, 0, sizeof seen);
	/* Across the place where counters wrap. */
	initiator.s->messages.counter = _i == 0 ? 1 : UINT64_MAX - MANY / 2;
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(secret_send_message(initiator.s, NULL, 0), 0);
		memcpy(sent[i], initiator.udx.message, sizeof sent[i]);
	}
	for (int i = 0; i < 20 * MANY; i++) {
		uint32_t lead = prng_below(&r, 400), n = top + lead;
		ptrdiff_t got;

		n = n < 300 ? 0 : n - 300;
		if (n >= MANY)
			break;
		got = open_message(&responder, sent[n], sizeof sent[n], out);
		if (seen[n])
			ck_assert_int_eq(got, ERR_EXISTS);
		else if (n > top || top - n < LATE || i == 0)
			ck_assert_int_eq(got, 0);
		seen[n] |= got == 0;
		top = n > top ? n : top;
	}
	ck_assert_uint_gt(top, MANY - 300);
}
END_TEST

/* Adds what either cipher must pass. */
static void
add_vector_tests(TCase *tc)
{
	tcase_add_test(tc, headers_are_golden);
	tcase_add_test(tc, frames_are_golden);
	tcase_add_loop_test(tc, splits_are_golden, 0, 3);
	tcase_add_loop_test(tc, any_split_will_do, 0, 200);
	tcase_add_loop_test(tc, malformed_is_refused, 0, T_ROWS(malformed));
	tcase_add_test(tc, damage_never_gets_through);
	tcase_add_loop_test(tc, a_large_frame_is_gathered, 0, 6);
}

static void
add_bulk_case(Suite *s)
{
	struct bulk_cipher *probe = libcrypto_cipher_new();
	TCase *tc;

	if (probe == NULL) {
		puts("skipped with libcrypto: built --without-openssl");
		return;
	}
	libcrypto_cipher_free(probe);
	tc = tcase_create("bulk cipher");
	tcase_add_checked_fixture(tc, set_up_bulk, tear_down);
	add_vector_tests(tc);
	tcase_add_loop_test(tc, frames_in_pieces_are_read, 0, 8);
	suite_add_tcase(s, tc);
}

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("secret", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	add_bulk_case(s);
	add_vector_tests(tc);
	tcase_add_test(tc, namespaces_derive);
	tcase_add_test(tc, keys_are_golden);
	tcase_add_test(tc, reflection_is_refused);
	tcase_add_test(tc, ten_frames_at_once);
	tcase_add_test(tc, early_writes_arrive);
	tcase_add_test(tc, the_key_of_the_peer_is_wiped);
	tcase_add_test(tc, a_frame_is_read_in_bites);
	tcase_add_test(tc, writes_obey_the_room);
	tcase_add_test(tc, lack_of_memory_is_told);
	tcase_add_test(tc, the_end_needs_no_frame);
	tcase_add_loop_test(
	    tc, an_end_within_a_frame_is_an_error, 1, 3 + SECRET_OVERHEAD);
	tcase_add_loop_test(tc, frames_in_pieces_are_read, 0, 8);
	tcase_add_test(tc, a_length_costs_nothing);
	tcase_add_test(tc, a_cap_on_frames_holds);
	tcase_add_test(tc, a_budget_for_all_holds);
	tcase_add_loop_test(tc, half_sent_frames_are_bounded, 0, 2);
	tcase_add_loop_test(tc, half_sent_frames_hurt_their_senders, 0, 2);
	tcase_add_test(tc, the_largest_frame_goes_first);
	tcase_add_loop_test(tc, a_shared_budget_is_never_exceeded, 0, 20);
	tcase_add_test(tc, a_gathered_frame_that_ends_early_is_an_error);
	tcase_add_test(tc, a_slow_frame_is_waited_for);
	tcase_add_test(tc, keepalive_follows_writes_alone);
	tcase_add_test(tc, keepalive_swallows_the_peers);
	tcase_add_test(tc, a_byte_reader_sees_no_empty_frames);
	tcase_add_test(tc, keepalive_stops_at_the_end);
	tcase_add_test(tc, keepalive_can_be_turned_off);
	tcase_add_test(tc, keepalive_without_room_waits);
	tcase_add_test(tc, keepalives_of_many_share_wakeups);
	tcase_add_test(tc, an_idle_stream_is_small);
	tcase_add_test(tc, messages_are_golden);
	tcase_add_test(tc, damaged_messages_do_not_open);
	tcase_add_test(tc, messages_too_short_or_long);
	tcase_add_loop_test(tc, replays_are_refused, 0, 4);
	return s;
}
