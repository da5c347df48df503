/*
 * A dialect pack: data that says how a surface's messages name what they do.
 * Shipped packs are config/dialects/NAME.json, compiled in; an operator may write others.
 *
 * A pack holds vocabularies, one per kind of socket the service has; a route
 * names the one it speaks. A vocabulary says which envelope carries a verb,
 * which verbs exist in which direction, where each verb's target lies, and how
 * a refusal reads. config/route.c reads the pack's default routes from the same text.
 *
 * The text of a pack is one JSON object; a key that is not here is a fault:
 *
 *   "name"          "mcp": a letter or digit, then also dots, dashes, underscores
 *   "about"         a sentence for readers; here and in vocabularies
 *   "vocabularies"  a list, the first is the default one, of:
 *     "name"        as above
 *     "envelope"    "json-rpc", "typed" or "opaque"
 *     "open"        optional list of "c2s", "s2c": directions in which verbs
 *                   that are not in the table are known too
 *     "verb_key"    typed, required: the member that names the verb, "type"
 *     "jsonrpc"     json-rpc, optional: false where messages are without that member
 *     "session"     json-rpc, optional: one more member of the message, a string;
 *                   a refusal repeats it, "sessionId"
 *     "asks"        json-rpc, optional: the member that asks the client beside what is
 *                   said, {KEY: {"method", "params"}}, in an answer's result, in what else
 *                   the service says, and in a `result` or `task` in these; each entry is
 *                   vetted like a request of the service, "inputRequests"
 *     "asks_by_error"  json-rpc, optional: {"member": KEY, "verb": VERB}: an answer whose
 *                   error.data has that member asks the client as such a request would
 *     "cancels"     json-rpc, optional: {"verb": VERB, "id": KEY}: either side says by such a
 *                   notification that it does not wait any more for the answer to its own
 *                   request whose id is that member of "params"; so does the gate for a client
 *                   that has gone, "notifications/cancelled"
 *     "handles"     json-rpc, optional: up to two of [KEY...]: where any request of the
 *                   client's may name a handle (below) beside what its verb is about
 *     "operation"   typed, optional: {"value": V, "key": K}: where the verb's
 *                   member is V, the verb is the value of member K instead
 *     "verbs"       {"c2s": {VERB: rule}, "s2c": {VERB: rule}}; a rule has
 *       "as"        json-rpc: "request" (the default) or "notification";
 *                   typed: "operation" if V and K lead to it
 *       "always"    true: needs no place on an allow list
 *       "never"     true: never passes, whatever the lists say. What "never", "within" and
 *                   "only" close, a surface may open again: allow.reopen
 *       "targets"   up to four of {"name": [KEY...]}, {"uri": [KEY...]} and
 *                   {"handle": [KEY...]}: the keys that lead to the target; a message
 *                   has exactly one. "[]" among the keys, last or before one more, is
 *                   every element of the list there: such targets may be none or many,
 *                   beside the one. Each must be permitted, in both directions: names and
 *                   URIs by allow.targets and the session's globs; a handle, which means
 *                   something to the service alone (a task id), if this session was given
 *                   it, whatever the globs say.
 *       "gives"     up to two of [KEY...]: where the session is given a handle: below
 *                   "result" in the answer to a client's request, below "params" in
 *                   what the service says
 *       "each"      true: a message has not one of the targets, but each of them that is no list
 *       "optional"  true: of the targets that are no lists there may be none
 *       "within"    globs, one of which the target must match whatever the lists
 *                   allow: ["search_*"]
 *       "only"      of a client's verb, {KEY: [STRING...]}: a member of the message (in JSON-RPC
 *                   of params) that, if it is there, has one of these values; [] if it may not be
 *       "quiet"     json-rpc, of a client's request: true: that it is refused is answered as an
 *                   empty success, for what programs ask as a matter of course and can do without
 *       "match"     the member that must equal the session's stored value
 *       "filter"    json-rpc, of a client's request: {"items": KEY, "name": KEY,
 *                   "kind": "name", "uri" or "handle"}: the answer's result has a list
 *                   `items` of objects; where targets are limited, those whose member
 *                   `name` is no permitted target are cut out of it; of handles always
 *                   those that are not the session's. A URI template counts as a URI: its
 *                   braces match only a wildcard. Optional is "private": KEY, the member of a
 *                   result that says who may keep it: of a list that was cut, "private".
 *     "extensions"  json-rpc, optional: {NAME: {"about", "verbs"}}: verbs, as above, that pass
 *                   nowhere but where the surface's own "extensions" names NAME
 *     "refusal"     typed, optional: what the client is sent; an object whose
 *                   values "$verb" and "$reason" are filled in
 *   "routes"        the default routes; config/route.c reads them
 */
#pragma once

#include "json/reader.h"
#include "json/scan.h"

enum envelope {
    ENVELOPE_JSON_RPC = 1, /* JSON-RPC 2.0: verb = method */
    ENVELOPE_TYPED,        /* one JSON object; verb in a named member, e.g. AutoGen Studio */
    ENVELOPE_OPAQUE,       /* bytes that nobody looks into */
};

enum direction {
    DIRECTION_C2S = 0, /* from the client to the service */
    DIRECTION_S2C,
    DIRECTION_COUNT
};

enum target_kind { TARGET_NONE = 0, TARGET_NAME, TARGET_URI, TARGET_HANDLE };

#define DIALECT_BYTES_MAX         ((size_t)256 * 1024)
#define DIALECT_VOCABULARIES_MAX  8
#define DIALECT_VERBS_MAX         256 /* in one direction */
#define DIALECT_NAME_BYTES_MAX    64  /* of packs, vocabularies and members */
#define DIALECT_VERB_BYTES_MAX    128 /* of a verb */
#define DIALECT_REFUSAL_BYTES_MAX 1024
#define DIALECT_TARGET_PATHS_MAX  4
#define DIALECT_HANDLE_PATHS_MAX  2 /* of "handles", and of a verb's "gives" */
#define DIALECT_PATH_DEPTH_MAX    4
#define DIALECT_WITHIN_MAX        32
#define DIALECT_ONLY_MAX          4 /* of a verb */
#define DIALECT_EXTENSIONS_MAX    32
#define DIALECT_WATCHES_MAX       32
/* The member of params._meta by which MCP over HTTP tells its revision. */
#define DIALECT_MCP_VERSION_KEY "io.modelcontextprotocol/protocolVersion"

/* Where something lies: keys from the top of the message, e.g. params, ref, name. */
struct target_path {
    char *keys[DIALECT_PATH_DEPTH_MAX];
    unsigned depth;
    unsigned list; /* the first so many keys lead to a list, the rest lies in each element; 0: no */
    enum target_kind kind;
};

/* A member whose values are limited. */
struct verb_argument {
    char *name;
    struct text_list values;
};

struct verb_rule {
    char *name;
    bool request;                /* JSON-RPC: may occur as a request */
    bool notification;           /* JSON-RPC: may occur as a notification */
    bool operation;              /* ENVELOPE_TYPED: named by operation_key, not by verb_key */
    bool always;                 /* needs no place on an allow list: handshakes, pings */
    bool never;                  /* on no list is there a place for it */
    bool each;                   /* the targets that are no lists are there together */
    bool optional;               /* there may be no target though the rule has some */
    bool off;                    /* the surface does not name the extension */
    bool quiet;                  /* that it is refused is answered as an empty success */
    struct target_path *targets; /* of those that are no lists, one or each; none: no target */
    size_t target_count;
    struct target_path *gives; /* where handles are given */
    size_t give_count;
    /* A member (of the message, in JSON-RPC of params) that must be there and equal
     * a part of the session's parameter record (vet.h); NULL: none. */
    char *match_key;
    struct text_list within; /* globs, one of which the target must match; empty: no limit */
    struct verb_argument *only;
    size_t only_count;
    const char *extension; /* that it belongs to, borrowed from the vocabulary; NULL: none */
    /* The list in an answer's result whose items are cut down to permitted targets, and the
     * member that is an item's target; NULL: none. */
    char *filter_items;
    char *filter_name;
    char *filter_private; /* the member of a result that then becomes "private"; or NULL */
    enum target_kind filter_kind;
};

struct vocabulary {
    char *name;
    enum envelope envelope;
    bool open[DIRECTION_COUNT]; /* verbs outside the table are known too (generic JSON-RPC) */
    bool bare;                  /* ENVELOPE_JSON_RPC: without the member "jsonrpc" */
    char *session_key;          /* ENVELOPE_JSON_RPC: a member that refusals repeat; NULL: none */
    char *asks_key;             /* ENVELOPE_JSON_RPC: the member that asks the client; or NULL */
    char *error_key;            /* ENVELOPE_JSON_RPC: the member of error.data that does; or NULL */
    char *error_verb;           /* and for what */
    char *cancel_verb;          /* ENVELOPE_JSON_RPC: the notification that cancels; or NULL */
    char *cancel_key;           /* and the member of its params that names a request */
    struct target_path *handles; /* ENVELOPE_JSON_RPC: where any request may name one */
    size_t handle_count;
    /* ENVELOPE_TYPED: the member with the verb; if its value is `operation_value`,
     * the verb is in `operation_key` instead. */
    char *verb_key;
    char *operation_value;
    char *operation_key;
    struct verb_rule *verbs[DIRECTION_COUNT]; /* sorted by name */
    size_t verb_count[DIRECTION_COUNT];
    struct text_list extensions; /* their names */
    /* ENVELOPE_TYPED: the refusal sent to the client, a JSON object text in which the
     * member values "$verb" and "$reason" are replaced. NULL: none is sent. */
    char *refusal;
    struct text_list descend; /* members the scanner must look into (json_scan.h) */
    struct json_watch watches[DIALECT_WATCHES_MAX]; /* and single ones beside; strings borrowed */
    size_t watch_count;
};

/* A pack; dialect_read() makes one. */
struct dialect {
    char *name;
    struct vocabulary *vocabularies;
    size_t vocabulary_count;
};

/*
 * Parses and reads the reader's document. ERROR_INVALID with every fault noted
 * in the reader, or ERROR_MEMORY; else the caller owns *out.
 */
enum error dialect_read(struct json_reader *reader, struct dialect **out) MUST_CHECK;
void dialect_destroy(struct dialect *dialect);

/* The vocabulary called `name`, or with NULL the pack's first; NULL if there is none. */
const struct vocabulary *dialect_vocabulary(const struct dialect *dialect, const char *name);
/* The rule of a verb, or NULL. */
const struct verb_rule *vocabulary_verb(const struct vocabulary *vocabulary,
                                        enum direction direction, struct span name);

/* Whether the pack has verbs of that extension; they are known from now on. */
bool dialect_enable(struct dialect *dialect, const char *extension);
/* Adds the verbs of an extension, written as in a pack, to a vocabulary; faults in the reader. */
void dialect_extend(struct json_reader *reader, struct vocabulary *vocabulary,
                    const char *extension, struct json_t *verbs);

/* Opens what "never", "within" and "only" close of a verb, in all vocabularies and both
 * directions; false if they close nothing of it. */
bool dialect_reopen(struct dialect *dialect, const char *verb);

/*
 * The packs that come with the program: config/dialects, compiled in, so that
 * what they say cannot change under it. Their names, for sentences: "mcp, opaque".
 */
const char *dialect_shipped_names(void);
/* The text of the pack with this name; absent if none is shipped. */
struct span dialect_shipped(const char *name);
