/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dhtctl/qlog.h"

enum {
	/* Sequence numbers that are remembered: no sender has more of them
	 * unacknowledged. */
	NUMBERS = 1 << 16,
	WORD_MAX = 64,
	RECORD_SEPARATOR = 0x1e,
};

#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* The last transmission of a sequence number. */
struct transmission {
	uint32_t seq, number; /* number 0: none */
	uint64_t offset;      /* of its payload in the stream */
};

/* The packets of one direction. */
struct direction {
	uint32_t last_number;
	uint64_t next_offset;
	struct transmission of[NUMBERS]; /* by sequence number, modulo */
};

struct qlog_conn {
	struct qlog_conn *next;
	uint32_t number;
	bool acked_known;
	uint32_t acked; /* one after the last number that was acknowledged */
	uint64_t mtu;
	char state[WORD_MAX];
	struct direction out, in;
};

/* What of the record is still to be written. */
enum record_state {
	RECORD_NONE,
	RECORD_FRAMES, /* its list of frames is open */
	RECORD_RANGES, /* and the list of ranges of an ACK frame in it */
};

struct qlog {
	FILE *f;
	struct qlog_conn *conns;
	struct qlog_conn *open_conn; /* of the open record */
	enum record_state state;
	bool comma; /* precedes the next element of the open list */
};

struct qlog *
qlog_new(FILE *f)
{
	struct qlog *q = calloc(1, sizeof *q);

	if (q != NULL)
		q->f = f;
	return q;
}

void
qlog_free(struct qlog *q)
{
	struct qlog_conn *c;

	if (q == NULL)
		return;
	while ((c = q->conns) != NULL) {
		q->conns = c->next;
		free(c);
	}
	free(q);
}

static struct qlog_conn *
find_conn(struct qlog *q, uint32_t number)
{
	struct qlog_conn *c;

	for (c = q->conns; c != NULL; c = c->next)
		if (c->number == number)
			return c;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->number = number;
	c->next = q->conns;
	q->conns = c;
	return c;
}

/* ---- lines ---- */

/* Copies the n-th word of the line. Returns false if there is none, or if it
 * has characters that no event has. */
static bool
copy_word(const char *line, int n, char out[WORD_MAX])
{
	size_t len;

	for (; n > 0; n--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	len = strcspn(line, " ");
	if (len == 0 || len >= WORD_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)line[i]) &&
		    strchr("+-.:[]=_", line[i]) == NULL)
			return false;
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

/* Reads a number of digits alone, at most 2^53 - 1, which every JSON parser
 * represents. */
static uint64_t
read_number(const char *text)
{
	uint64_t n = 0;

	for (; isdigit((unsigned char)*text) && n <= NUMBER_MAX; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	return n <= NUMBER_MAX ? n : NUMBER_MAX;
}

/* Returns the value of " NAME=VALUE" in the line, 0 if it is missing. */
static uint64_t
read_field(const char *line, const char *name)
{
	size_t len = strlen(name);

	while ((line = strchr(line, ' ')) != NULL) {
		line++;
		if (strncmp(line, name, len) == 0 && line[len] == '=')
			return read_number(line + len + 1);
	}
	return 0;
}

struct line_packet {
	char type[WORD_MAX];
	uint32_t seq, ack;
	uint64_t len, size, window, ranges;
	bool resent;
};

static bool
read_packet(const char *line, struct line_packet *p)
{
	*p = (struct line_packet){
	    .seq = (uint32_t)read_field(line, "seq"),
	    .ack = (uint32_t)read_field(line, "ack"),
	    .len = read_field(line, "len"),
	    .size = read_field(line, "size"),
	    .window = read_field(line, "window"),
	    .ranges = read_field(line, "ranges"),
	    .resent = read_field(line, "resent") != 0,
	};
	return copy_word(line, 2, p->type);
}

static bool
has_type(const struct line_packet *p, const char *name)
{
	return strstr(p->type, name) != NULL;
}

/* ---- records ---- */

static void
close_record(struct qlog *q)
{
	if (q->state == RECORD_RANGES)
		fputs("]}", q->f);
	if (q->state != RECORD_NONE)
		fputs("]}}\n", q->f);
	q->state = RECORD_NONE;
	q->comma = false;
}

/* Begins a record, up to its data. */
static void
begin_event(struct qlog *q, const struct qlog_conn *c, const char *line,
    const char *name)
{
	uint64_t at_us = read_number(line);

	fprintf(q->f,
	    "%c{\"time\":%" PRIu64 ".%03u,\"name\":\"%s\",\"group_id\":\"%u\","
	    "\"data\":",
	    RECORD_SEPARATOR, at_us / 1000, (unsigned)(at_us % 1000), name,
	    c->number);
}

static void
end_event(struct qlog *q)
{
	fputs("}\n", q->f);
}

static void
write_ms(struct qlog *q, const char *name, uint64_t us)
{
	fprintf(q->f, ",\"%s\":%" PRIu64 ".%03u", name, us / 1000,
	    (unsigned)(us % 1000));
}

static void
begin_element(struct qlog *q)
{
	if (q->comma)
		fputc(',', q->f);
	q->comma = true;
}

/* ---- acknowledgements ---- */

static const struct transmission *
find_transmission(const struct direction *d, uint32_t seq)
{
	const struct transmission *t = &d->of[seq % NUMBERS];

	return t->number != 0 && t->seq == seq ? t : NULL;
}

static void
write_range(struct qlog *q, uint32_t from, uint32_t to)
{
	if (from == 0)
		return;
	if (q->state == RECORD_FRAMES) {
		begin_element(q);
		fputs("{\"frame_type\":\"ack\",\"acked_ranges\":[", q->f);
		q->state = RECORD_RANGES;
		q->comma = false;
	}
	begin_element(q);
	fprintf(q->f, "[%u,%u]", from, to);
}

/* Writes the transmissions of these sequence numbers to the ACK frame of the
 * open record. */
static void
write_acked(
    struct qlog *q, const struct direction *d, uint32_t first, uint32_t last)
{
	uint32_t from = 0, to = 0;

	if (last - first >= NUMBERS)
		return;
	for (uint32_t seq = first; seq != last + 1; seq++) {
		const struct transmission *t = find_transmission(d, seq);

		if (t != NULL && from != 0 && t->number == to + 1) {
			to++;
			continue;
		}
		write_range(q, from, to);
		from = to = t != NULL ? t->number : 0;
	}
	write_range(q, from, to);
}

static void
on_acked(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char word[WORD_MAX], *end;

	if (q->state == RECORD_NONE || q->open_conn != c)
		return; /* its packet was dropped */
	for (int i = 2; copy_word(line, i, word); i++) {
		uint32_t first = (uint32_t)strtoul(word, &end, 10);

		if (*end == '-')
			write_acked(q, &c->out, first,
			    (uint32_t)strtoul(end + 1, NULL, 10));
	}
}

/* ---- packets ---- */

/* Numbers a packet. Returns its transmission, or NULL if it has no sequence
 * number of its own. */
static struct transmission *
number_packet(struct direction *d, const struct line_packet *p)
{
	struct transmission *t = &d->of[p->seq % NUMBERS];

	d->last_number++;
	if (!has_type(p, "data") && !has_type(p, "end"))
		return NULL;
	if (t->number == 0 || t->seq != p->seq)
		t->offset = UINT64_MAX; /* not known */
	if (!p->resent && d->next_offset != UINT64_MAX) {
		t->offset = d->next_offset;
		d->next_offset += p->len;
	}
	t->seq = p->seq;
	t->number = d->last_number;
	return t;
}

/* Writes the frame of the stream's bytes, and leaves the list open. */
static void
write_frames(
    struct qlog *q, const struct line_packet *p, const struct transmission *t)
{
	fputs(",\"frames\":[", q->f);
	q->state = RECORD_FRAMES;
	if (t != NULL) {
		begin_element(q);
		fputs("{\"frame_type\":\"stream\",\"stream_id\":0", q->f);
		if (t->offset != UINT64_MAX)
			fprintf(q->f, ",\"offset\":%" PRIu64, t->offset);
		fprintf(q->f, ",\"length\":%" PRIu64, p->len);
		fputs(has_type(p, "end") ? ",\"fin\":true}" : "}", q->f);
	}
	if (has_type(p, "message")) {
		begin_element(q);
		fprintf(q->f,
		    "{\"frame_type\":\"datagram\",\"length\":%" PRIu64 "}",
		    p->len);
	}
	if (has_type(p, "heartbeat")) {
		begin_element(q);
		fputs("{\"frame_type\":\"ping\"}", q->f);
	}
}

static void
write_packet(struct qlog *q, struct qlog_conn *c, const char *line, bool sent)
{
	struct direction *d = sent ? &c->out : &c->in;
	struct line_packet p;
	struct transmission *t;

	if (!read_packet(line, &p))
		return;
	t = number_packet(d, &p);
	begin_event(q, c, line,
	    sent ? "transport:packet_sent" : "transport:packet_received");
	fprintf(q->f,
	    "{\"header\":{\"packet_type\":\"1RTT\",\"packet_number\":%u},"
	    "\"raw\":{\"length\":%" PRIu64 ",\"payload_length\":%" PRIu64
	    "},\"udx\":{\"type\":\"%s\",\"seq\":%u,\"ack\":%u,"
	    "\"window\":%" PRIu64 ",\"ranges\":%" PRIu64 ",\"resent\":%s}",
	    d->last_number, p.size, p.len, p.type, p.seq, p.ack, p.window,
	    p.ranges, p.resent ? "true" : "false");
	write_frames(q, &p, t);
	q->open_conn = c;
	if (!sent)
		return; /* lines of what it acknowledges may follow */
	if (c->acked_known && (int32_t)(p.ack - c->acked) > 0)
		write_acked(q, &c->in, c->acked, p.ack - 1);
	c->acked = p.ack;
	c->acked_known = true;
	close_record(q);
}

static void
on_sent(struct qlog *q, struct qlog_conn *c, const char *line)
{
	write_packet(q, c, line, true);
}

static void
on_received(struct qlog *q, struct qlog_conn *c, const char *line)
{
	/* Received packets are out of order where any are lost. */
	c->in.next_offset = UINT64_MAX;
	write_packet(q, c, line, false);
}

static void
on_lost(struct qlog *q, struct qlog_conn *c, const char *line)
{
	uint32_t seq = (uint32_t)read_field(line, "seq");
	const struct transmission *t = find_transmission(&c->out, seq);
	char reason[WORD_MAX];

	if (!copy_word(line, 2, reason))
		return;
	begin_event(q, c, line, "recovery:packet_lost");
	fputs("{\"header\":{\"packet_type\":\"1RTT\"", q->f);
	if (t != NULL)
		fprintf(q->f, ",\"packet_number\":%u", t->number);
	fprintf(q->f,
	    "},\"trigger\":\"%s\",\"udx\":{\"seq\":%u,\"reason\":"
	    "\"%s\",\"mtu_probe\":%s}}",
	    strcmp(reason, "timeout") == 0 ? "pto_expired" : "time_threshold",
	    seq, reason, read_field(line, "probe") != 0 ? "true" : "false");
	end_event(q);
}

/* ---- the state of the sender ---- */

static void
on_timer(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char which[WORD_MAX];

	if (!copy_word(line, 2, which))
		return;
	begin_event(q, c, line, "recovery:loss_timer_updated");
	fprintf(q->f,
	    "{\"event_type\":\"expired\",\"timer_type\":\"pto\","
	    "\"udx\":{\"timer\":\"%s\"}}",
	    which);
	end_event(q);
}

static void
on_metrics(struct qlog *q, struct qlog_conn *c, const char *line)
{
	uint64_t rate = read_field(line, "rate");

	begin_event(q, c, line, "recovery:metrics_updated");
	fprintf(q->f,
	    "{\"congestion_window\":%" PRIu64 ",\"bytes_in_flight\":%" PRIu64,
	    read_field(line, "cwnd"), read_field(line, "in_flight"));
	if (rate > 0)
		fprintf(q->f, ",\"pacing_rate\":%" PRIu64, rate * 8);
	if (read_field(line, "srtt_us") > 0) {
		write_ms(q, "smoothed_rtt", read_field(line, "srtt_us"));
		write_ms(q, "rtt_variance", read_field(line, "rttvar_us"));
		write_ms(q, "min_rtt", read_field(line, "min_rtt_us"));
		write_ms(q, "latest_rtt", read_field(line, "latest_rtt_us"));
	}
	fprintf(q->f, ",\"udx\":{\"recovery\":%s}}",
	    read_field(line, "recovery") != 0 ? "true" : "false");
	end_event(q);
}

static void
on_state(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char now[WORD_MAX];

	if (!copy_word(line, 2, now))
		return;
	begin_event(q, c, line, "recovery:congestion_state_updated");
	fputc('{', q->f);
	if (c->state[0] != '\0')
		fprintf(q->f, "\"old\":\"%s\",", c->state);
	fprintf(q->f, "\"new\":\"%s\"}", now);
	memcpy(c->state, now, sizeof now);
	end_event(q);
}

static void
on_mtu(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char now[WORD_MAX];
	uint64_t size;

	if (!copy_word(line, 2, now))
		return;
	size = read_number(now);
	begin_event(q, c, line, "connectivity:mtu_updated");
	fputc('{', q->f);
	if (c->mtu > 0)
		fprintf(q->f, "\"old\":%" PRIu64 ",", c->mtu);
	fprintf(q->f, "\"new\":%" PRIu64 "}", size);
	c->mtu = size;
	end_event(q);
}

static void
on_path(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char remote[WORD_MAX];

	if (!copy_word(line, 2, remote))
		return;
	begin_event(q, c, line, "connectivity:path_updated");
	fprintf(q->f, "{\"remote\":\"%s\"}", remote);
	end_event(q);
}

static void
on_closed(struct qlog *q, struct qlog_conn *c, const char *line)
{
	char reason[WORD_MAX];

	if (!copy_word(line, 2, reason))
		return;
	begin_event(q, c, line, "connectivity:connection_closed");
	fprintf(q->f, "{\"owner\":\"%s\",\"trigger\":\"%s\",\"reason\":\"%s\"}",
	    strcmp(reason, "reset") == 0 ? "remote" : "local",
	    strcmp(reason, "ok") == 0 ? "clean" : "error", reason);
	end_event(q);
}

/* ---- the file ---- */

void
qlog_header(struct qlog *q, bool dialed, uint64_t began_ms)
{
	fprintf(q->f,
	    "%c{\"qlog_version\":\"0.3\",\"qlog_format\":\"JSON-SEQ\","
	    "\"title\":\"dhtctl trace\",\"trace\":{\"title\":\"UDX stream\","
	    "\"vantage_point\":{\"name\":\"hyperdhtd\",\"type\":\"%s\"},"
	    "\"common_fields\":{\"time_format\":\"relative\","
	    "\"reference_time\":%" PRIu64 "}}}\n",
	    RECORD_SEPARATOR, dialed ? "client" : "server", began_ms);
}

void
qlog_event(struct qlog *q, uint32_t conn, const char *line)
{
	static const struct {
		const char *kind;
		void (*write)(
		    struct qlog *q, struct qlog_conn *c, const char *line);
	} kinds[] = {
	    {"sent", on_sent},
	    {"received", on_received},
	    {"acked", on_acked},
	    {"lost", on_lost},
	    {"timer", on_timer},
	    {"metrics", on_metrics},
	    {"state", on_state},
	    {"mtu", on_mtu},
	    {"path", on_path},
	    {"closed", on_closed},
	};
	struct qlog_conn *c = find_conn(q, conn);
	char kind[WORD_MAX];

	if (c == NULL || !copy_word(line, 1, kind))
		return;
	if (strcmp(kind, "acked") != 0)
		close_record(q);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			kinds[i].write(q, c, line);
}

void
qlog_dropped(struct qlog *q, uint32_t conn, const char *line, uint64_t events)
{
	struct qlog_conn *c = find_conn(q, conn);

	if (c == NULL)
		return;
	close_record(q);
	begin_event(q, c, line, "loglevel:warning");
	fprintf(q->f, "{\"message\":\"%" PRIu64 " events are missing here\"}",
	    events);
	end_event(q);
	c->acked_known = false;
	c->out.next_offset = UINT64_MAX;
}

bool
qlog_flush(struct qlog *q)
{
	close_record(q);
	return fflush(q->f) == 0 && !ferror(q->f);
}
