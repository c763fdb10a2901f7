/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that packets are decoded and encoded as the reference does.
 * Method: decodes every datagram of the captures, whole, cut everywhere and
 * with each bit flipped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "t.h"
#include "udx/packet.h"

static const char file[] = "udx.json";

static uint8_t *
encoded(const struct packet *p, size_t *len)
{
	struct bytes area = p->offset > 0 ? p->sacks : (struct bytes){0};
	uint8_t *out;

	*len = (size_t)PACKET_HEADER + p->offset + p->payload.len;
	out = calloc(1, *len);
	ck_assert_ptr_nonnull(out);
	packet_encode(out, p);
	if (area.len > 0)
		memcpy(out + PACKET_HEADER, area.p, area.len);
	if (p->payload.len > 0)
		memcpy(out + PACKET_HEADER + p->offset, p->payload.p,
		    p->payload.len);
	return out;
}

static void
same_fields(const json_t *row, const struct packet *p)
{
	ck_assert_uint_eq(p->type, t_uint(row, "type"));
	ck_assert_uint_eq(p->offset, t_uint(row, "data_offset"));
	ck_assert_uint_eq(p->id, t_uint(row, "id"));
	ck_assert_uint_eq(p->rwnd, t_uint(row, "rwnd"));
	ck_assert_uint_eq(p->seq, t_uint(row, "seq"));
	ck_assert_uint_eq(p->ack, t_uint(row, "ack"));
	if (json_object_get(row, "payload_length") != NULL)
		ck_assert_uint_eq(
		    p->payload.len, t_uint(row, "payload_length"));
}

static void
same_ranges(const json_t *sacks, const struct packet *p)
{
	struct rd r = rd_init(p->sacks.p, p->sacks.len);
	struct packet_range range;
	size_t i = 0;

	while (packet_next_range(&r, &range)) {
		const json_t *pair = json_array_get(sacks, i++);

		ck_assert_ptr_nonnull(pair);
		ck_assert_uint_eq(range.start,
		    (uint64_t)json_integer_value(json_array_get(pair, 0)));
		ck_assert_uint_eq(range.end,
		    (uint64_t)json_integer_value(json_array_get(pair, 1)));
	}
	ck_assert_uint_eq(i, json_array_size(sacks));
}

/* Verifies that a packet is refused, or decodes to the same once encoded. */
static void
take(const uint8_t *buf, size_t len, void *arg)
{
	struct packet p;
	uint32_t id;
	uint8_t *again;
	size_t again_len;

	(void)arg;
	if (!packet_is(buf, len, &id)) {
		ck_assert(len < PACKET_HEADER || buf[0] != PACKET_MAGIC ||
			  buf[1] != PACKET_VERSION);
		return;
	}
	if (packet_decode(&p, buf, len) != 0) {
		ck_assert_uint_gt(buf[3], len - PACKET_HEADER);
		return;
	}
	ck_assert_uint_eq(p.id, id);
	again = encoded(&p, &again_len);
	ck_assert_uint_eq(again_len, len);
	ck_assert_mem_eq(again, buf, PACKET_HEADER);
	free(again);
}

static void
check_packet(const json_t *row)
{
	struct packet p;
	uint32_t id;
	uint8_t *buf, *again;
	size_t len, again_len;

	if (json_object_get(row, "hex") == NULL ||
	    json_object_get(row, "type") == NULL)
		return;
	buf = t_bytes(row, "hex", &len);
	ck_assert(packet_is(buf, len, &id));
	ck_assert_uint_eq(id, t_uint(row, "id"));
	if (t_uint(row, "data_offset") > len - PACKET_HEADER) {
		ck_assert_int_eq(packet_decode(&p, buf, len), ERR_MALFORMED);
	} else {
		ck_assert_int_eq(packet_decode(&p, buf, len), 0);
		same_fields(row, &p);
		if (json_object_get(row, "sacks") != NULL)
			same_ranges(json_object_get(row, "sacks"), &p);
		again = encoded(&p, &again_len);
		ck_assert_uint_eq(again_len, len);
		ck_assert_mem_eq(again, buf, PACKET_HEADER);
		free(again);
	}
	if (len <= 100)
		t_damage(buf, len, take, NULL);
	free(buf);
}

START_TEST(captured)
{
	const json_t *row = t_row(file, "captures", _i), *p;
	size_t i;

	json_array_foreach(t_get(row, "packets"), i, p) check_packet(p);
}
END_TEST

static void
check_steps(const char *section, int i)
{
	const json_t *step, *reply;
	size_t k, j;

	json_array_foreach(t_get(t_row(file, section, i), "steps"), k, step)
	{
		if (json_object_get(step, "inject") != NULL)
			check_packet(json_object_get(step, "inject"));
		json_array_foreach(json_object_get(step, "replies"), j, reply)
		    check_packet(reply);
	}
}

START_TEST(reactions)
{
	check_steps("reactions", _i);
}
END_TEST

START_TEST(malformed)
{
	check_steps("malformed", _i);
}
END_TEST

START_TEST(numbers_wrap)
{
	ck_assert_int_gt(seq_diff(0, UINT32_MAX), 0);
	ck_assert_int_lt(seq_diff(UINT32_MAX, 0), 0);
	ck_assert_int_eq(seq_diff(7, 7), 0);
	ck_assert_int_gt(seq_diff(0x7fffffff, 0), 0);
	ck_assert_int_lt(seq_diff(0x80000001, 0), 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_packet", &tc);

	tcase_add_loop_test(tc, captured, 0, t_rows(file, "captures"));
	tcase_add_loop_test(tc, reactions, 0, t_rows(file, "reactions"));
	tcase_add_loop_test(tc, malformed, 0, t_rows(file, "malformed"));
	tcase_add_test(tc, numbers_wrap);
	return s;
}
