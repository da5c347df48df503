/*
 * What a scanned message says: its kind, id, verb and target. Strict where
 * parsers behind the gate are known to differ: JSON-RPC messages have the six
 * top-level keys of JSON-RPC 2.0 and no other, a key that leads to a verb or a
 * target has no look-alike beside it, and ids are strings or safe integers. A
 * vocabulary may be without "jsonrpc", or have one key more (dialect.h).
 */
#pragma once

#include "dialect/dialect.h"

#define MESSAGE_ID_BYTES_MAX     128  /* between the quotes */
#define MESSAGE_TARGET_BYTES_MAX 1024 /* unescaped; of an escaped one */

/* Targets, unread: a list, of which every element is one or has one (its path says where), or one
 * more beside the message's own, where a message has several. */
struct message_targets {
    const struct target_path *path;
    struct span value;
};

enum message_kind {
    MESSAGE_OTHER = 0, /* not to be understood */
    MESSAGE_REQUEST,
    MESSAGE_NOTIFICATION,
    MESSAGE_RESPONSE, /* with a result or an error */
    MESSAGE_TYPED,    /* of ENVELOPE_TYPED, which knows no kinds */
};

/* Spans point into the scanned text or into this struct; an absent one was not found. */
struct message {
    enum message_kind kind;
    struct span id;               /* as written; present only if it is a permitted one */
    struct span id_key;           /* unescaped, a string in quotes: equal exactly for equal ids */
    struct span verb;             /* unescaped */
    const struct verb_rule *rule; /* NULL: the verb is not in the vocabulary's table */
    struct span target;           /* unescaped, unless it is too long for that */
    enum target_kind target_kind;
    bool target_too_long; /* escaped, and longer than MESSAGE_TARGET_BYTES_MAX */
    unsigned more_count;
    struct message_targets more[DIALECT_TARGET_PATHS_MAX];
    struct span match;   /* the value of the rule's match_key, as written */
    struct span session; /* the value of the vocabulary's session_key, as written */
    char id_bytes[MESSAGE_ID_BYTES_MAX + 3];
    char verb_bytes[DIALECT_VERB_BYTES_MAX + 1];
    char target_bytes[MESSAGE_TARGET_BYTES_MAX + 1];
};

/*
 * Reads the text that was scanned last, with the vocabulary's `descend`.
 * REASON_ALLOWED if it is a message of the vocabulary; else why not, with what
 * could be read all the same (a refusal wants the id and the verb).
 */
enum reason message_read(const struct json_scan *scan, const struct vocabulary *vocabulary,
                         enum direction direction, struct message *out);

/* Takes a member (NULL: there is none) as the message's id if every peer reads it alike: no null,
 * fraction, exponent or -0, and Unicode text. Else why not. */
enum reason message_read_id(const struct json_member *id, struct message *out);

/*
 * Follows a path, of one with a list to that list. REASON_ALLOWED with *out what lies
 * there, of type JSON_NONE if nothing does; REASON_KEY_RESEMBLES if something on the way
 * resembles a key.
 */
enum reason message_follow(const struct json_scan *scan, const struct target_path *path,
                           struct json_member *out);
/* Takes an element of a list of targets as the message's target; REASON_TARGET_MISSING if it is
 * none, REASON_KEY_RESEMBLES. */
enum reason message_take_element(struct message *message, const struct target_path *path,
                                 struct span element);

/*
 * Reads an entry of the object that a vocabulary's asks_key names, which was
 * scanned last as a text of its own: a request of the service without an id,
 * whose only keys are "method" and "params".
 */
enum reason message_read_ask(const struct json_scan *scan, const struct vocabulary *vocabulary,
                             struct message *out);
