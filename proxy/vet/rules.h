/* What vetting goes by. */
#pragma once

#include "config/config.h"
#include "vet/handles.h"
#include "vet/mcp_http.h"

/* The rules in force on one connection. Everything is borrowed. */
struct vet_rules {
    const struct vocabulary *vocabulary;
    const struct text_list *verbs;           /* allow.verbs; NULL: every verb the dialect knows */
    const struct text_list *targets;         /* allow.targets, globs; NULL: every target */
    const struct text_list *server_verbs;    /* what the service may ask; NULL: all known */
    const struct text_list *session_verbs;   /* session create --allow; NULL: no further limit */
    const struct text_list *session_targets; /* session create --tool; NULL: no further limit */
    const char *
        match_digest; /* canonical_text_digest() a verb's match_key value must have; NULL: refuse */
    /* What sessions were given, and whose the connection is; NULL: nobody was given anything. */
    struct handles *handles;
    const char *session_id;
    /* What a message of each direction may hold (the surface's); NULL: what documents may. */
    const struct json_limits *limits;
    enum reason late; /* what is said is too much for now (REASON_RATE_...), whatever it is, and
                         whatever is only watched; REASON_INTERNAL: it is not */
    bool observe;     /* record what would be refused, and let it pass */
    bool close_on_refusal; /* on_refusal: close */
    /* MCP over HTTP, a client's POST: compared with the body (mcp_http.h); NULL elsewhere. */
    const struct mcp_http_headers *http;
    /* MCP over HTTP: the service may send again what a broken stream did not deliver, on a GET
     * with Last-Event-ID. `resumable`: a settled request is remembered for that; `replay`, on
     * such a GET: a remembered request's answer, and a request of the service's that is
     * outstanding with the same verb, pass once more. */
    bool resumable;
    bool replay;
    bool unchecked;          /* a WebSocket's, of which nobody knows yet that it is UTF-8 */
    struct json_scan *ahead; /* of the message, if it was scanned as it came; borrowed; NULL */
};

/* What a surface's configuration says of messages in a vocabulary, without any session. */
struct vet_rules vet_rules_of(const struct surface *surface, const struct vocabulary *vocabulary);

/* Whether what is said is too much for now; then for that reason, whatever another would be. */
static inline bool rules_late(const struct vet_rules *rules)
{
    return rules->late != REASON_INTERNAL;
}
static inline enum reason rules_or_late(const struct vet_rules *rules, enum reason other)
{
    return rules_late(rules) ? rules->late : other;
}
/* Whether what would be refused passes. */
static inline bool rules_only_watch(const struct vet_rules *rules)
{
    return rules->observe && !rules_late(rules);
}
/* An answer that comes too soon is still waited for: its client is told, and can post it again. */
static inline bool rules_wait(const struct vet_rules *rules)
{
    return rules_late(rules) && rules->http != NULL;
}

static inline const struct json_limits *rules_limits(const struct vet_rules *rules,
                                                     enum direction direction)
{
    return rules->limits != NULL ? &rules->limits[direction] : NULL;
}

/*
 * Whether what is refused for what it holds is told by its id, if it has one: the service's, and of
 * the client's what is good JSON that the surface does not want.
 */
static inline bool rules_salvage(const struct vet_rules *rules, enum direction direction,
                                 enum reason reason)
{
    const struct json_limits *limits = rules_limits(rules, direction);

    if (rules->vocabulary->envelope != ENVELOPE_JSON_RPC)
        return false;
    return direction == DIRECTION_S2C ||
           (limits != NULL && limits->refuse_unpaired &&
            (reason == REASON_JSON_SURROGATE || reason == REASON_JSON_NUL));
}

/* What the vocabulary looks for. */
static inline struct json_scan_wishes rules_wishes(const struct vet_rules *rules,
                                                   enum direction direction)
{
    const struct vocabulary *vocabulary = rules->vocabulary;

    return (struct json_scan_wishes){.limits = rules_limits(rules, direction),
                                     .descend = &vocabulary->descend,
                                     .watches = vocabulary->watches,
                                     .watch_count = vocabulary->watch_count};
}

/* Scans a text for it. */
static inline enum reason rules_scan(const struct vet_rules *rules, enum direction direction,
                                     struct json_scan *scan, struct span text)
{
    const struct json_scan_wishes wishes = rules_wishes(rules, direction);

    return json_scan_wishing(scan, text, &wishes);
}
