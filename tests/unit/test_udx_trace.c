/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that the trace of a stream is complete and agrees with the
 * counters of the stream, that it is bounded, and that the qlog made of it
 * consists of records with the fields that viewers require, numbers each
 * transmission once, and is in order of time. Method: two ends in virtual time
 * over a link that loses packets; events pass through the lines of the control
 * protocol, as they do on their way to dhtctl.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "control/trace_text.h"
#include "dhtctl/qlog.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

enum { BYTES = 400000, CONN = 7, RECORDS_MAX = 1 << 16 };

static const struct lab_link lossy = {
    .delay_us = 10000, .jitter_us = 2000, .loss_ppm = 30000};
static const struct lab_link clean = {.delay_us = 10000};

/* What the events of a stream add up to. */
struct sums {
	uint64_t events, sent, received, resent, acked, lost, closed, metrics;
	uint64_t last_us, payload;
};

static void
add_event(struct sums *sum, const struct udx_trace_event *e)
{
	ck_assert_uint_ge(e->at_us, sum->last_us);
	sum->last_us = e->at_us;
	sum->events++;
	sum->sent += e->kind == UDX_TRACE_SENT;
	sum->received += e->kind == UDX_TRACE_RECEIVED;
	sum->lost += e->kind == UDX_TRACE_LOST;
	sum->metrics += e->kind == UDX_TRACE_METRICS;
	sum->closed += e->kind == UDX_TRACE_CLOSED;
	if (e->kind == UDX_TRACE_SENT && e->packet.resent)
		sum->resent++;
	else if (e->kind == UDX_TRACE_SENT)
		sum->payload += e->packet.len;
	if (e->kind != UDX_TRACE_ACKED)
		return;
	for (uint32_t i = 0; i < e->acked.len; i++)
		sum->acked += e->acked.range[i].end - e->acked.range[i].start;
}

/* Reads all events, into a qlog unless that is NULL. */
static void
read_events(struct udx_trace *t, struct sums *sum, struct qlog *q)
{
	char text[TRACE_TEXT_MAX];
	struct udx_trace_event e;

	while (udx_trace_next(t, &e)) {
		add_event(sum, &e);
		ck_assert_uint_lt(
		    strlen(trace_text(&e, text)), TRACE_TEXT_MAX - 1);
		if (q != NULL)
			qlog_event(q, CONN, text);
	}
}

static struct udx_trace *
start_trace(struct lab_stream *s)
{
	int err;
	struct udx_trace *t = udx_trace_start(s->s, &err);

	ck_assert_int_eq(err, 0);
	ck_assert_ptr_nonnull(t);
	return t;
}

/* Carries bytes in pieces, and reads the trace after each. */
static void
carry_traced(
    struct lab_pair *p, struct udx_trace *t, struct sums *sum, struct qlog *q)
{
	for (uint64_t total = BYTES / 20; total <= BYTES; total += BYTES / 20) {
		ck_assert(lab_pair_carry(p, total, 60 * LAB_S));
		read_events(t, sum, q);
	}
	lab_run(&p->lab, 5 * LAB_S); /* all is acknowledged */
	read_events(t, sum, q);
}

/* ---- the events ---- */

START_TEST(agrees_with_the_counters)
{
	struct sums sum = {.events = 0};
	struct udx_status st;
	struct lab_pair p;
	struct udx_trace *t;

	lab_pair_init(&p, 1 + (uint64_t)_i, &lossy);
	t = start_trace(p.a);
	carry_traced(&p, t, &sum, NULL);
	udx_status(p.a->s, &st);
	ck_assert_uint_gt(st.lost, 0);
	ck_assert_uint_eq(sum.sent, st.packets_out);
	ck_assert_uint_eq(sum.received, st.packets_in);
	ck_assert_uint_eq(sum.resent, st.resent);
	ck_assert_uint_eq(sum.lost, st.lost);
	ck_assert_uint_eq(sum.payload, BYTES);
	/* Each number is acknowledged once, those of a first transmission. */
	ck_assert_uint_eq(sum.acked, p.a->s->loss.in_flight.nxt);
	ck_assert_uint_gt(sum.metrics, 0);
	ck_assert_uint_eq(udx_trace_dropped(t), 0);
	ck_assert_uint_eq(p.a->s->udx->core->stats->trace_events, sum.events);
	udx_trace_stop(t);
	ck_assert_ptr_null(p.a->s->loss.trace);
	lab_pair_fini(&p);
}
END_TEST

START_TEST(outlives_its_stream)
{
	struct sums sum = {.events = 0};
	struct lab_pair p;
	struct udx_trace *t;

	lab_pair_init(&p, 1, &clean);
	t = start_trace(p.a);
	ck_assert(lab_pair_carry(&p, 1000, LAB_S));
	ck_assert(!udx_trace_is_over(t));
	lab_stream_free(p.a);
	p.a = NULL;
	ck_assert(!udx_trace_is_over(t));
	read_events(t, &sum, NULL);
	ck_assert_uint_eq(sum.closed, 1);
	ck_assert(udx_trace_is_over(t));
	udx_trace_stop(t);
	lab_pair_fini(&p);
}
END_TEST

START_TEST(is_bounded)
{
	struct sums sum = {.events = 0};
	struct lab_pair p;
	struct limits *l;
	struct udx_trace *t;
	int err;

	lab_pair_init(&p, 1, &clean);
	l = &p.lab.end[0].host.limits;
	l->trace_events = 256;
	l->traces = 1;
	t = start_trace(p.a);
	ck_assert_ptr_null(udx_trace_start(p.a->s, &err));
	ck_assert_int_eq(err, ERR_EXISTS);
	l->traces = 0;
	p.a->s->loss.trace = NULL;
	ck_assert_ptr_null(udx_trace_start(p.a->s, &err));
	ck_assert_int_eq(err, ERR_LIMIT);
	p.a->s->loss.trace = t;
	ck_assert(lab_pair_carry(&p, BYTES, 60 * LAB_S));
	ck_assert_uint_gt(udx_trace_dropped(t), 0);
	ck_assert_uint_eq(p.a->s->udx->core->stats->trace_events_dropped,
	    udx_trace_dropped(t));
	read_events(t, &sum, NULL);
	ck_assert_uint_eq(sum.events, 256);
	/* There is space again. */
	ck_assert(lab_pair_carry(&p, BYTES + 1000, 60 * LAB_S));
	read_events(t, &sum, NULL);
	ck_assert_uint_gt(sum.events, 256);
	udx_trace_stop(t);
	lab_pair_fini(&p);
}
END_TEST

/* ---- qlog ---- */

static json_t *records[RECORDS_MAX];
static size_t records_len;

/* Parses each record of the text. */
static void
parse_records(char *text, size_t len)
{
	char *p = text, *end;

	records_len = 0;
	while (p < text + len) {
		ck_assert_int_eq(*p, 0x1e);
		end = memchr(p, '\n', len - (size_t)(p - text));
		ck_assert_ptr_nonnull(end);
		ck_assert_uint_lt(records_len, RECORDS_MAX);
		records[records_len] = json_loadb(
		    p + 1, (size_t)(end - p - 1), JSON_REJECT_DUPLICATES, NULL);
		*end = '\0';
		ck_assert_msg(records[records_len] != NULL, "%s", p + 1);
		records_len++;
		p = end + 1;
	}
}

static void
free_records(void)
{
	while (records_len > 0)
		json_decref(records[--records_len]);
}

static void
check_header(const json_t *head)
{
	const char *version, *format, *type, *times;
	json_int_t reference;

	ck_assert_int_eq(
	    json_unpack((json_t *)head, "{s:s, s:s, s:{s:{s:s}, s:{s:s, s:I}}}",
		"qlog_version", &version, "qlog_format", &format, "trace",
		"vantage_point", "type", &type, "common_fields", "time_format",
		&times, "reference_time", &reference),
	    0);
	ck_assert_str_eq(version, "0.3");
	ck_assert_str_eq(format, "JSON-SEQ");
	ck_assert_str_eq(type, "client");
	ck_assert_str_eq(times, "relative");
	ck_assert_int_eq(reference, 1700000000000);
}

/* The state of each transmission. */
enum { IS_SENT = 1, IS_ACKED = 2, IS_LOST = 4 };
static uint8_t flags[RECORDS_MAX];
static json_int_t last_sent, last_received;

static void
check_ack(const json_t *frame)
{
	json_t *range;
	size_t i;

	json_array_foreach(json_object_get(frame, "acked_ranges"), i, range)
	{
		json_int_t low = 0, high = 0;

		ck_assert_int_eq(json_unpack(range, "[I, I!]", &low, &high), 0);
		ck_assert_int_le(low, high);
		ck_assert_int_le(high, last_sent);
		for (; low <= high; low++) {
			ck_assert((flags[low] & IS_SENT) != 0);
			ck_assert((flags[low] & IS_ACKED) == 0);
			flags[low] |= IS_ACKED;
		}
	}
}

static void
check_packet(const json_t *data, bool sent)
{
	json_int_t *last = sent ? &last_sent : &last_received;
	json_int_t number, length, payload;
	const char *type, *frame_type;
	json_t *frames, *frame;
	size_t i;

	ck_assert_int_eq(
	    json_unpack((json_t *)data, "{s:{s:s, s:I}, s:{s:I, s:I}, s:o}",
		"header", "packet_type", &type, "packet_number", &number, "raw",
		"length", &length, "payload_length", &payload, "frames",
		&frames),
	    0);
	ck_assert_str_eq(type, "1RTT");
	ck_assert_int_eq(number, *last + 1);
	ck_assert_int_ge(length, payload + PACKET_HEADER);
	*last = number;
	if (sent)
		flags[number] = IS_SENT;
	json_array_foreach(frames, i, frame)
	{
		ck_assert_int_eq(
		    json_unpack(frame, "{s:s}", "frame_type", &frame_type), 0);
		if (!sent && strcmp(frame_type, "ack") == 0)
			check_ack(frame);
	}
}

static void
check_lost(const json_t *data)
{
	json_int_t number;

	ck_assert_int_eq(json_unpack((json_t *)data, "{s:{s:I}}", "header",
			     "packet_number", &number),
	    0);
	ck_assert_int_le(number, last_sent);
	ck_assert((flags[number] & (IS_SENT | IS_ACKED)) == IS_SENT);
	flags[number] |= IS_LOST;
}

static uint64_t
count_flag(uint8_t flag)
{
	uint64_t n = 0;

	for (json_int_t i = 1; i <= last_sent; i++)
		n += (flags[i] & flag) != 0;
	return n;
}

static void
check_events(void)
{
	double last = 0;

	last_sent = last_received = 0;
	for (size_t i = 1; i < records_len; i++) {
		const char *name, *group;
		json_t *data;
		double at;

		ck_assert_int_eq(
		    json_unpack(records[i], "{s:F, s:s, s:s, s:o!}", "time",
			&at, "name", &name, "group_id", &group, "data", &data),
		    0);
		ck_assert(at >= last);
		last = at;
		ck_assert_str_eq(group, "7");
		if (strcmp(name, "transport:packet_sent") == 0)
			check_packet(data, true);
		else if (strcmp(name, "transport:packet_received") == 0)
			check_packet(data, false);
		else if (strcmp(name, "recovery:packet_lost") == 0)
			check_lost(data);
		else
			ck_assert_msg(
			    strncmp(name, "recovery:", 9) == 0 ||
				strncmp(name, "connectivity:", 13) == 0,
			    "%s", name);
	}
}

START_TEST(qlog_is_whole)
{
	struct sums sum = {.events = 0};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct qlog *q = qlog_new(f);
	struct lab_pair p;
	struct udx_trace *t;

	lab_pair_init(&p, 1 + (uint64_t)_i, &lossy);
	t = start_trace(p.a);
	qlog_header(q, true, UINT64_C(1700000000000));
	carry_traced(&p, t, &sum, q);
	ck_assert(qlog_flush(q));
	parse_records(text, len);
	check_header(records[0]);
	check_events();
	ck_assert_uint_eq((uint64_t)last_sent, sum.sent);
	ck_assert_uint_eq((uint64_t)last_received, sum.received);
	ck_assert_uint_eq(count_flag(IS_ACKED), sum.acked);
	ck_assert_uint_eq(count_flag(IS_LOST), sum.lost);
	free_records();
	qlog_free(q);
	fclose(f);
	free(text);
	udx_trace_stop(t);
	lab_pair_fini(&p);
}
END_TEST

/* Lines of a program that is not the daemon. */
static const char *const strange_lines[] = {
    "",
    " ",
    "1",
    "x sent",
    "1 sent",
    "1 sent \"quoted\" seq=1",
    "1 state \\\"",
    "1 acked 1-",
    "1 acked 1-4294967295",
    "1 received ack seq=1",
    "1 acked 5-1 4294967295-0 x-y",
    "1 sent data seq=99999999999999999999 len=-1 size=",
    "18446744073709551615 closed ok",
    "1 lost timeout",
    "1 unknown",
};

START_TEST(strange_lines_break_nothing)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct qlog *q = qlog_new(f);

	for (int i = 0; i < T_ROWS(strange_lines); i++)
		qlog_event(q, 1 + (uint32_t)i % 2, strange_lines[i]);
	qlog_dropped(q, 1, "5 sent data", 3);
	ck_assert(qlog_flush(q));
	parse_records(text, len);
	ck_assert_uint_gt(records_len, 0);
	free_records();
	qlog_free(q);
	fclose(f);
	free(text);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_trace", &tc);

	tcase_add_loop_test(tc, agrees_with_the_counters, 0, 4);
	tcase_add_test(tc, outlives_its_stream);
	tcase_add_test(tc, is_bounded);
	tcase_add_loop_test(tc, qlog_is_whole, 0, 4);
	tcase_add_test(tc, strange_lines_break_nothing);
	return s;
}
