/* SPDX-License-Identifier: ISC */
/*
 * control_relay.h - what several methods say about the relay of this node.
 * Uses: api, node.
 */
#ifndef CONTROL_CONTROL_RELAY_H
#define CONTROL_CONTROL_RELAY_H

struct api_writer;
struct node_relay_status;

/* Writes the volume of a month, or null if there is no limit. */
void control_relay_volume(
    struct api_writer *w, const struct node_relay_status *st);

#endif
