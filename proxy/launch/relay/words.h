/*
 * What the launcher and a relay (relay.h) say to each other: one form for all, with descriptors
 * beside it (launch/common/passing.h).
 *
 *     launcher                             relay
 *        BEGIN ──────────────────────────▶        its limits; the first, and once
 *        LINK ───────────────────────────▶        with a connection of the gate's
 *        ◀──────────────────────────── START      a process: a number of the relay's, never again
 *        STARTED ────────────────────────▶        with its standard input and output
 *        REFUSED ────────────────────────▶        there is none: an enum reason
 *        ◀──────────────────────────── STOP       the end of it, whatever it does
 *        ENDED ──────────────────────────▶        nothing of it is left; its wait status
 *        ◀──────────────────────────── REST       it has had nobody for long, after so many LINKs:
 *                                                 if there was no other, it is to end
 *
 * A relay that says anything else is ended.
 */
#pragma once

#include <stdint.h>

enum relay_word_type {
    RELAY_BEGIN = 1,
    RELAY_LINK,
    RELAY_START,
    RELAY_STARTED,
    RELAY_REFUSED,
    RELAY_STOP,
    RELAY_ENDED,
    RELAY_REST
};

#define RELAY_LINKS_MAX 512 /* connections of one gate session's; more are closed at once */

struct relay_word {
    uint32_t type, number; /* of a process; of REST: how many LINKs there were */
    int32_t value;
    uint32_t max_message_bytes, max_answer_bytes, idle_ms; /* of BEGIN; idle_ms 0: for ever */
};
