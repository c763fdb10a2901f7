/* SPDX-License-Identifier: ISC */
/*
 * cc_model.h - what a path is like, from what is acknowledged and lost.
 *
 * The delivery rate is estimated as in
 * draft-cheng-iccrg-delivery-rate-estimation: each packet in flight carries a
 * struct cc_packet. Decides nothing; cc.h does. Bytes, bytes a second and
 * microseconds. Uses: base.
 */
#ifndef UDX_CC_MODEL_H
#define UDX_CC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CC_UNIT = 256, /* of gains and parts */
	CC_BW_ROUNDS = 10,
};

#define CC_RATE_MAX UINT64_C(100000000000) /* times the RTT: fits 64 bits */
#define CC_RTT_MAX_US UINT64_C(60000000)

struct cc_packet {
	uint64_t sent_us;
	uint64_t first_sent_us, delivered_us; /* of the connection, then */
	uint64_t delivered;                   /* bytes, then */
	bool app_limited;
	bool calm; /* left while its sender made no queue */
};

struct cc_model {
	uint32_t mss;

	/* what was delivered, and when that was last so */
	uint64_t delivered, delivered_us;
	uint64_t first_sent_us; /* when the newest packet of that had left */
	uint64_t app_limited;   /* until so much is delivered; 0: it is not */

	/* the batch of acknowledgements under way */
	struct cc_packet newest;
	uint64_t acked;
	bool any;

	/* this round: the time from a packet's leaving to its acknowledgement
	 */
	uint64_t round_start, round_lost, round_bw;
	bool round_app_limited;

	/* rounds of a few packets are judged together: since when, and what was
	 * lost in those before this one */
	uint64_t judged_from, judged_lost;

	/* the most delivered a second, of this round and those before */
	uint64_t bw, bw_of[CC_BW_ROUNDS];
	uint32_t bw_at;

	/* the path's length, 0: not known; when last seen; since cc_model_look
	 */
	uint64_t min_rtt_us, seen_us, low_rtt_us, srtt_us;

	/* acknowledgements that come in lumps: now, and the largest of late */
	uint64_t lump_us, lump_acked, lump, lump_before, lump_turn_us;

	/* the part lost by chance, in CC_UNIT * 16ths: of calm packets alone */
	uint64_t calm_acked, calm_lost;
	uint32_t chance;
};

/* All but what was delivered is forgotten. */
void cc_model_reset(struct cc_model *m, uint64_t now_us);

void cc_model_sent(struct cc_model *m, struct cc_packet *p, uint64_t now_us,
    uint64_t in_flight);
void cc_model_acked(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);
void cc_model_lost(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);

/* It was not lost after all. */
void cc_model_found(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);

/* The end of a batch; rtt_us may be 0. True if a round has ended by it. */
bool cc_model_update(struct cc_model *m, uint64_t now_us, uint64_t rtt_us);

/* Counts the losses of the round that has ended, and begins another. */
void cc_model_next_round(struct cc_model *m);

/*
 * More was lost in this round than chance explains, and n packets; or in the
 * rounds before it, too, if they were short.
 */
bool cc_model_lost_more(const struct cc_model *m, uint32_t n);

/* What was lost till now has had its consequences. */
void cc_model_judge_anew(struct cc_model *m);

/* What a rate delivers in a time, and how long bytes take at the path's rate;
 * the path's bandwidth-delay product. */
uint64_t cc_product(uint64_t rate, uint64_t us);
uint64_t cc_model_us(const struct cc_model *m, uint64_t bytes);
uint64_t cc_model_bdp(const struct cc_model *m);

/* What gathers somewhere before it is acknowledged at once, at most. */
uint64_t cc_model_lump(const struct cc_model *m);

static inline uint64_t
cc_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
cc_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
