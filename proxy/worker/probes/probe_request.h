/* What may be asked of the telemetry page, and what is answered: no I/O. */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "wire/http_head.h"

/* What is told of the gate. */
struct probe_facts {
    bool known;          /* the broker has answered */
    uint32_t unready;    /* a bit for each enum unready that holds */
    struct span metrics; /* absent: they cannot be had */
};

enum probe_page { PROBE_NONE = 0, PROBE_METRICS, PROBE_HEALTH, PROBE_READY };

struct probe_verdict {
    enum probe_page page; /* NONE: it is refused */
    unsigned status;      /* of a refusal */
    const char *why;      /* a sentence */
    bool head_only;
};

/*
 * A page of another name or origin in somebody's browser may not read it: Host must be a loopback
 * name, an address, or one of `hosts`; and there is no Origin.
 */
struct probe_verdict probe_request_judge(const struct http_request *request,
                                         const struct text_list *hosts);
/* The whole answer. */
void probe_request_answer(const struct probe_verdict *verdict, const struct probe_facts *facts,
                          struct buffer *out);
