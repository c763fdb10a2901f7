/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that a stream waits as long as the reference's, and no longer.
 * Method: replays the timelines of the golden vectors in virtual time and
 * compares when the stream sends what, to 20 ms.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/packet.h"

static const char file[] = "udx.json";

enum { SENT_MAX = 64 };

struct timeline {
	struct lab lab;
	struct lab_stream *s;
	const json_t *entries;
	uint64_t start_us;
	uint32_t writes; /* so far */
	struct {
		uint64_t at_us;
		uint8_t type;
		uint32_t seq;
	} sent[SENT_MAX];
	size_t sent_len;
};

static bool
note_sent(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct timeline *t = arg;
	struct packet packet;

	ck_assert_int_eq(packet_decode(&packet, p->buf, p->len), 0);
	ck_assert_uint_lt(t->sent_len, SENT_MAX);
	t->sent[t->sent_len].at_us = lab->lan.now_us;
	t->sent[t->sent_len].type = packet.type;
	t->sent[t->sent_len++].seq = packet.seq;
	return false;
}

/* Takes the length of the n-th write from the packet that carries it. */
static size_t
write_len(const struct timeline *t, uint32_t n)
{
	const json_t *e;
	size_t i;

	json_array_foreach(t->entries, i, e)
	{
		const json_t *seq = json_object_get(e, "seq");

		if (strcmp(t_string(e, "event"), "stream sends") == 0 &&
		    t_uint(e, "length") > PACKET_HEADER && seq != NULL &&
		    json_integer_value(seq) == n)
			return (size_t)t_uint(e, "length") - PACKET_HEADER;
	}
	return 1;
}

static void
peer_sends(struct timeline *t, const json_t *e)
{
	struct addr from = lab_addr(1, 0);
	uint8_t buf[PACKET_HEADER];
	struct packet p = {
	    .type = (uint8_t)t_uint(e, "type"),
	    .id = udx_id(t->s->s),
	    .rwnd = (uint32_t)t_uint(e, "rwnd"),
	    .seq = (uint32_t)t_uint(e, "seq"),
	    .ack = (uint32_t)t_uint(e, "ack"),
	};

	packet_encode(buf, &p);
	ck_assert_int_eq(lab_inject(&t->lab, 0, 0, &from, buf, sizeof buf), 0);
}

static void
happen(struct timeline *t, const json_t *e)
{
	const char *what = t_string(e, "event");

	if (strcmp(what, "write") == 0) {
		size_t len = write_len(t, t->writes++);

		memset(udx_reserve(t->s->s, len), 'x', len);
		udx_commit(t->s->s, len);
	} else if (strcmp(what, "peer sends") == 0) {
		peer_sends(t, e);
	} else if (strcmp(what, "set keepalive 500") == 0) {
		udx_set_keepalive(t->s->s, 500);
	} else if (strcmp(what, "error ETIMEDOUT") == 0) {
		struct udx_status st;

		/* It may be sent within the tolerance. */
		lab_run(&t->lab, 20 * LAB_MS);
		udx_status(t->s->s, &st);
		ck_assert(st.closed);
		ck_assert_int_eq(st.err, ERR_TIMEOUT);
		ck_assert(t->s->events & UDX_EV_CLOSED);
	} else if (strcmp(what, "close") == 0) {
		lab_stream_free(t->s);
		t->s = NULL;
	}
}

static void
run(struct timeline *t)
{
	const json_t *e;
	size_t i;

	json_array_foreach(t->entries, i, e)
	{
		uint64_t at = t->start_us + t_uint(e, "ms") * LAB_MS;

		if (strcmp(t_string(e, "event"), "stream sends") == 0)
			continue;
		if (at > t->lab.lan.now_us)
			lab_run(&t->lab, at - t->lab.lan.now_us);
		if (t->s != NULL)
			happen(t, e);
		lab_settle(&t->lab);
	}
}

static uint8_t
type_of(const json_t *e)
{
	const char *flag =
	    json_string_value(json_array_get(t_get(e, "flags"), 0));

	return strcmp(flag, "DATA") == 0      ? PACKET_DATA
	       : strcmp(flag, "DESTROY") == 0 ? PACKET_DESTROY
					      : PACKET_HEARTBEAT;
}

START_TEST(keeps_time)
{
	const json_t *row = t_row(file, "timelines", _i), *e;
	struct timeline t = {.entries = t_get(row, "entries")};
	struct udx_path path = {.to = lab_addr(1, 0), .id = 1};
	const uint64_t near = t_uint(row, "tolerance_ms") * LAB_MS;
	size_t i, n = 0;

	lab_init(&t.lab, 1, 1);
	t.lab.filter = note_sent;
	t.lab.filter_arg = &t;
	t.s = lab_stream_new(&t.lab, 0);
	ck_assert_int_eq(udx_connect(t.s->s, &path), 0);
	t.start_us = t.lab.lan.now_us;
	run(&t);
	json_array_foreach(t.entries, i, e)
	{
		uint64_t at = t.start_us + t_uint(e, "ms") * LAB_MS;

		if (strcmp(t_string(e, "event"), "stream sends") != 0)
			continue;
		ck_assert_uint_lt(n, t.sent_len);
		ck_assert_uint_eq(t.sent[n].type, type_of(e));
		ck_assert_uint_eq(t.sent[n].seq, t_uint(e, "seq"));
		ck_assert_uint_le(t.sent[n].at_us, at + near);
		ck_assert_uint_ge(t.sent[n].at_us + near, at);
		n++;
	}
	/* A stream that gives up sends DESTROY; the reference does not. */
	for (; n < t.sent_len; n++)
		ck_assert_uint_eq(t.sent[n].type, PACKET_DESTROY);
	if (t.s != NULL)
		lab_stream_free(t.s);
	lab_fini(&t.lab);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_timeline", &tc);

	tcase_add_loop_test(tc, keeps_time, 0, t_rows(file, "timelines"));
	return s;
}
