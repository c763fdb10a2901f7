/* SPDX-License-Identifier: ISC */
/*
 * cc_model.h - model of a path: bandwidth, minimum round trip, random loss and
 * aggregation of acknowledgements, from what is acknowledged and lost.
 *
 * The delivery rate is estimated as in
 * draft-cheng-iccrg-delivery-rate-estimation; each packet in flight carries a
 * struct cc_packet for it. Decides nothing, cc.h does. Units are bytes, bytes a
 * second and microseconds. Uses: base.
 */
#ifndef UDX_CC_MODEL_H
#define UDX_CC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CC_UNIT = 256, /* of gains and parts */
	CC_BW_ROUNDS = 10,
};

/* Bytes a second; times CC_RTT_MAX_US it fits 64 bits. */
#define CC_RATE_MAX UINT64_C(100000000000)
#define CC_RTT_MAX_US UINT64_C(60000000)

struct cc_packet {
	uint64_t sent_us;
	/* State of the connection when the packet was sent. */
	uint64_t first_sent_us, delivered_us, delivered;
	bool app_limited;
	bool draining; /* sent while the flow drained its queue */
};

struct cc_model {
	uint32_t mss; /* bytes of a full packet */

	/* Bytes delivered, and when that last changed. */
	uint64_t delivered, delivered_us;
	uint64_t first_sent_us; /* when the newest packet delivered was sent */
	uint64_t app_limited;   /* until so much is delivered; 0: it is not */

	/* The batch of acknowledgements under way. */
	struct cc_packet newest;
	uint64_t acked;
	bool any;

	/* This round, from when a packet is sent until it is acknowledged. */
	uint64_t round_start, round_lost, round_bw;
	bool round_app_limited;

	/* Losses of short rounds are summed up: bytes lost in those before this
	 * one, since so many were delivered. */
	uint64_t loss_from, loss_bytes;

	/* Maximum delivery rate, of this round and those before it. */
	uint64_t bw, bw_of[CC_BW_ROUNDS];
	uint32_t bw_at;

	/* Minimum round trip (0: not known), when it was last seen, the minimum
	 * since the owner reset it, and the smoothed one. */
	uint64_t min_rtt_us, seen_us, low_rtt_us, srtt_us;

	/* Aggregation of acknowledgements: begin and bytes of the present one,
	 * the maximum of this epoch and of the one before. */
	uint64_t agg_us, agg_acked, agg, agg_previous, agg_epoch_us;

	/* Bytes sent while draining that were acknowledged and lost, and the
	 * part of random loss from them, in CC_UNIT * 16ths. */
	uint64_t drain_acked, drain_lost;
	uint32_t random_loss;
};

/* Forgets everything but the count of what was delivered. */
void cc_model_reset(struct cc_model *m, uint64_t now_us);

/* Records that a packet is sent and fills in *p; in_flight: bytes before it. */
void cc_model_sent(struct cc_model *m, struct cc_packet *p, uint64_t now_us,
    uint64_t in_flight);
void cc_model_acked(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);
void cc_model_lost(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);

/* Reverts cc_model_lost() for a packet that was acknowledged after all. */
void cc_model_found(
    struct cc_model *m, const struct cc_packet *p, uint32_t bytes);

/*
 * Ends a batch; rtt_us: 0 if there was no sample. Returns true if a round has
 * ended with it.
 */
bool cc_model_update(struct cc_model *m, uint64_t now_us, uint64_t rtt_us);

/* Counts the losses of the round that has ended, and begins the next. */
void cc_model_next_round(struct cc_model *m);

/*
 * Returns true if more was lost in this round, or in a sum of short rounds,
 * than random loss explains, by more than n packets.
 */
bool cc_model_excess_loss(const struct cc_model *m, uint32_t n);

/* Forgets the losses so far: the window was reduced for them. */
void cc_model_restart_loss(struct cc_model *m);

/* Returns the bytes that a rate delivers in a time. */
uint64_t cc_product(uint64_t rate, uint64_t us);

/* Returns the time that bytes take at the path's bandwidth. */
uint64_t cc_model_drain_us(const struct cc_model *m, uint64_t bytes);

/* Returns the bandwidth-delay product. */
uint64_t cc_model_bdp(const struct cc_model *m);

/* Returns the most bytes that were acknowledged at once beyond the rate. */
uint64_t cc_model_aggregation(const struct cc_model *m);

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
