/* Why a gate that lives does not serve: what a probe is told. */
#pragma once

enum unready {
    UNREADY_KILLED = 0, /* every surface's kill switch is on */
    UNREADY_WORKERS,    /* not all of them are up */
    UNREADY_AUDIT,      /* the audit log cannot be written, and so nothing is granted */
    UNREADY_COUNT
};

/* A sentence without its full stop. */
const char *unready_text(enum unready why);
