/* SPDX-License-Identifier: ISC */
/*
 * control_operation.h - requests that are answered later.
 *
 * An operation belongs to the client that requested it and waits for
 * events of the node, of a listener or of a connection. It is freed when it is
 * answered or when its client is closed.
 */
#ifndef CONTROL_CONTROL_OPERATION_H
#define CONTROL_CONTROL_OPERATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/api_writer.h"
#include "crypto/keys.h"

struct control;
struct control_call;
struct control_client;
struct control_conn;
struct control_listener;
struct control_operation;
struct node_event;

/* The handler of a method that is answered later. */
struct control_operation_type {
	/* Starts it. Returns 0, after which the operation may have ended
	 * already, or a negative code. */
	int (*start)(struct control_call *k, struct control_operation *o);

	/* Writes the result after NODE_EV_DONE. NULL: the operation is not one
	 * of the node, and control_operation_done() ends it. */
	void (*finish)(const struct control_operation *o,
	    const struct node_event *n, struct api_writer *w);

	/* Cancels it. NULL: node_cancel() does. */
	void (*cancel)(struct control_operation *o);

	bool needs_value;     /* without NODE_EV_VALUE it has failed */
	bool outlives_client; /* the node completes it without the client */
	bool kept_offline; /* succeeds without a network, and is done later */
};

struct control_operation {
	TAILQ_ENTRY(control_operation) link;
	struct control_client *client; /* NULL: it has outlived its client */
	struct control *control;
	const struct control_operation_type *type;
	struct control_user *user; /* counts it; NULL: not one of the node */
	const struct api_method *method;
	json_t *id;              /* owned: of the request */
	uint32_t op;             /* number of the node's operation */
	uint8_t key[KEY_LEN];    /* topic, hash or public key of the request */
	uint8_t signer[KEY_LEN]; /* announce: the public key announced */
	const struct key_pair *keys; /* lent until its end; NULL: none */
	bool by_topic;               /* accept: key is the topic */
	bool saved; /* announce, listen: known after a restart, too */
	uint64_t seq;
	json_t *value; /* owned: base64 of the value found, or NULL */
	struct control_listener *listener; /* of listen and accept */
	struct control_conn *conn;         /* of connect */
};

TAILQ_HEAD(control_operations, control_operation);

struct control_operation_list {
	struct control_operations all;
	/* Of clients that are gone; the node completes them. They count for
	 * their users until then. */
	struct control_operations left;
};

/* Starts the operation of a request. Returns 0 or a negative code. */
int control_operation_start(
    struct control_call *k, const struct control_operation_type *type);

/* Delivers an event of one of the node's operations. */
void control_operation_event(struct control *c, const struct node_event *n);

/* Returns the operation that answers the client's request of that id, or
 * NULL. */
struct control_operation *control_operation_find(
    struct control_client *cl, const json_t *id);

/* Cancels it and answers its request with ERR_CANCELLED. */
void control_operation_cancel(struct control_operation *o);

/* Cancels all operations of a client that is being closed, without answers. */
void control_operations_end(struct control_client *cl);

/* Frees the operations that have outlived their clients. */
void control_operations_free(struct control *c);

/* Answers the request with what w holds, and frees the operation. */
void control_operation_done(struct control_operation *o, struct api_writer *w);

/* Answers the request with an error, and frees the operation. replies counts
 * the nodes that replied, 0 if unknown. */
void control_operation_fail(
    struct control_operation *o, int err, uint32_t replies);

#endif
