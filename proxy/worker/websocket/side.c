#include "worker/websocket/side.h"

#include "base/pace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_A_TURN 128 /* of one read: then others have their turn */

/* Whose faults they are. */
static const struct faults {
    enum ws_sender sender;
    enum reason gone, close_frame, too_big, frame[WS_MISTAKES];
} all_faults[DIRECTION_COUNT] = {
    [DIRECTION_C2S] = {WS_FROM_CLIENT,
                       REASON_CLIENT_CLOSED,
                       REASON_CLIENT_CLOSE,
                       REASON_MESSAGE_TOO_BIG,
                       {[WS_RESERVED_BITS] = REASON_CLIENT_RESERVED,
                        [WS_UNKNOWN_OPCODE] = REASON_CLIENT_OPCODE,
                        [WS_WRONG_MASK] = REASON_CLIENT_MASK,
                        [WS_BAD_CONTROL] = REASON_CLIENT_CONTROL,
                        [WS_BAD_LENGTH] = REASON_CLIENT_LENGTH,
                        [WS_OUT_OF_ORDER] = REASON_CLIENT_CONTINUATION}},
    [DIRECTION_S2C] = {WS_FROM_SERVER,
                       REASON_UPSTREAM_GONE,
                       REASON_UPSTREAM_CLOSE,
                       REASON_ANSWER_TOO_BIG,
                       {[WS_RESERVED_BITS] = REASON_UPSTREAM_RESERVED,
                        [WS_UNKNOWN_OPCODE] = REASON_UPSTREAM_OPCODE,
                        [WS_WRONG_MASK] = REASON_UPSTREAM_MASK,
                        [WS_BAD_CONTROL] = REASON_UPSTREAM_CONTROL,
                        [WS_BAD_LENGTH] = REASON_UPSTREAM_LENGTH,
                        [WS_OUT_OF_ORDER] = REASON_UPSTREAM_CONTINUATION}},
};

static void on_ready(struct endpoint *link, int status, int events);

static void on_closed(struct endpoint *link)
{
    const struct side *side = (struct side *)link;

    side->events->ended(side->owner, side->from);
}

static void prepare(struct side *side, size_t max_message_bytes)
{
    side->link.ready = on_ready;
    side->link.closed = on_closed;
    ws_reader_init(&side->reader, all_faults[side->from].sender, max_message_bytes);
    side->reader.leaves_text = true;
}

/* Of the client that it leaves, too, as when it spoke HTTP: a change takes system calls. */
static int to_read(const struct side *side)
{
    return side->from == DIRECTION_C2S ? UV_READABLE | UV_DISCONNECT : UV_READABLE;
}

void side_take(struct side *side, struct endpoint *from, size_t max_message_bytes)
{
    prepare(side, max_message_bytes);
    endpoint_move(&side->link, from);
    endpoint_watch(&side->link, to_read(side));
}

enum error side_open(struct side *side, int fd, size_t max_message_bytes)
{
    prepare(side, max_message_bytes);
    if (endpoint_open(&side->link, &side->worker->endpoints, fd) != OK)
        return ERROR_IO;
    endpoint_watch(&side->link, to_read(side));
    return OK;
}

void side_close(struct side *side)
{
    if (side_is_open(side))
        endpoint_close(&side->link);
}

void side_pass_over(struct side *side)
{
    side->held = false;
    side->reader.discard = true;
    side->reader.told = false;
    assembly_clear(&side->reader.message);
}

void side_clear(struct side *side)
{
    ws_reader_clear(&side->reader);
    free(side->stash);
}

void side_hold(struct side *side, bool held)
{
    uint64_t now_ms = worker_now_ms(side->worker);

    if (held && !side->held) {
        side->held_since_ms = now_ms;
    } else if (!held && side->held && side->message_since_ms != 0) {
        side->message_since_ms += now_ms - side->held_since_ms;
        side->message_clock_ms += now_ms - side->held_since_ms;
    }
    side->held = held;
}

/* What was read goes on in a turn of its own, for which there is room to answer. */
void side_watch(struct side *side)
{
    bool waits = side->stash_length > 0;
    bool reads = !side->held && !waits;
    bool writes = side_is_blocked(side) || ((waits || side->is_deaf) && !side->held);

    endpoint_watch(&side->link, (reads ? to_read(side) : 0) | (writes ? UV_WRITABLE : 0));
}

void side_rest(struct side *side)
{
    endpoint_watch(&side->link, 0);
}

/* ---- Sending ---- */

/* It takes nothing any more; what it had said before is still to be read. */
static void turn_deaf(struct side *side)
{
    side->is_deaf = true;
    outgoing_clear(&side->link.out);
    side_watch(side);
}

static void hang_up(struct side *side)
{
    side_close(side);
    side->events->fault(side->owner, all_faults[side->from].gone);
}

/* Towards the client: as it lies. */
static bool send_plain(struct side *side, enum ws_opcode opcode, const unsigned char *payload,
                       size_t length)
{
    unsigned char header[WS_HEADER_MAX];
    struct iovec parts[2] = {{header, ws_header_write(header, opcode, length, NULL)},
                             {(void *)(uintptr_t)payload, length}};

    return endpoint_send(&side->link, parts, length > 0 ? 2 : 1);
}

/*
 * Towards the service: a frame that fits the worker's own buffer is usually gone with one
 * send; any other is masked where it waits.
 */
static bool send_masked(struct side *side, enum ws_opcode opcode, const unsigned char *payload,
                        size_t length)
{
    struct worker *worker = side->worker;
    struct outgoing *out = &side->link.out;
    bool small = outgoing_empty(out) && length <= READ_BYTES;
    unsigned char mask[4];
    struct iovec frame = {.iov_base = small ? worker->write_buffer
                                            : outgoing_reserve(out, WS_HEADER_MAX + length)};

    if (frame.iov_base == NULL)
        return false;
    worker_random(worker, mask, sizeof(mask));
    frame.iov_len = ws_header_write(frame.iov_base, opcode, length, mask);
    ws_mask((unsigned char *)frame.iov_base + frame.iov_len, payload, length, mask);
    frame.iov_len += length;
    if (small)
        return endpoint_send(&side->link, &frame, 1);
    outgoing_commit(out, frame.iov_len, worker_now_ms(worker));
    return endpoint_flush(&side->link);
}

void side_send(struct side *side, enum ws_opcode opcode, const unsigned char *payload,
               size_t length)
{
    bool sent;

    if (!side_is_open(side) || side->close_sent || side->is_deaf)
        return;
    sent = side->from == DIRECTION_C2S ? send_plain(side, opcode, payload, length)
                                       : send_masked(side, opcode, payload, length);
    if (!sent)
        turn_deaf(side);
}

void side_carry(struct side *side, struct side *from, const struct ws_whole *whole)
{
    const bool masked = side->from == DIRECTION_S2C;
    struct assembly taken = {0};
    struct outgoing block;
    unsigned char header[WS_HEADER_MAX], mask[4];
    struct iovec head = {.iov_base = header};

    if (side_is_open(side) && !side->close_sent && !side->is_deaf)
        taken = ws_reader_take(&from->reader);
    if (taken.data == NULL) {
        side_send(side, whole->opcode, whole->data, whole->length);
        return;
    }
    block = (struct outgoing){.data = taken.data,
                              .offset = ASSEMBLY_HEADROOM,
                              .length = taken.length,
                              .capacity = ASSEMBLY_HEADROOM + taken.capacity};
    if (masked) {
        worker_random(side->worker, mask, sizeof(mask));
        ws_mask(whole->data, whole->data, whole->length, mask);
    }
    head.iov_len = ws_header_write(header, whole->opcode, whole->length, masked ? mask : NULL);
    if (!endpoint_send_block(&side->link, &head, &block))
        turn_deaf(side);
}

/*
 * Once our close frame is out: a service that has said goodbye too is let go of. Of a client
 * that has, and of either whose frames make no sense, the rest is read until it closes, or the
 * owner is out of patience: closed with bytes unread, TCP would take back what was sent.
 */
static void finish(struct side *side)
{
    if (!side_is_open(side) || !side->close_sent)
        return;
    if (!side_is_blocked(side) && side->from == DIRECTION_S2C && side->close_received) {
        side_close(side);
        return;
    }
    if (!side_is_blocked(side) && (side->is_lost || side->close_received) && !side->is_finished) {
        side->is_finished = true;
        endpoint_finish(&side->link);
    }
    side_watch(side);
}

void side_send_close(struct side *side, unsigned code, struct span text)
{
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX];

    side_send(side, WS_CLOSE, payload, ws_close_write(payload, code, text.data, text.length));
    side->close_sent = true;
    finish(side);
}

/* ---- Receiving ---- */

static void on_close_frame(struct side *side, const struct ws_whole *frame)
{
    struct span text = {0};
    unsigned code;

    side->close_received = true;
    if (frame->length > 2)
        text = (struct span){(const char *)frame->data + 2, frame->length - 2};
    if (ws_close_read(frame->data, frame->length, &code))
        side->events->closed(side->owner, side->from, code, text);
}

static void on_whole(struct side *side, const struct ws_whole *whole)
{
    if (whole->opcode == WS_CLOSE) {
        on_close_frame(side, whole);
    } else if (whole->opcode >= WS_CLOSE) {
        side->events->beat(side->owner, side->from, whole);
    } else {
        side->message_since_ms = 0;
        side->events->message(side->owner, side->from, whole);
    }
}

/* Its frames are at an end. */
static void lose(struct side *side, enum reason reason)
{
    side->is_lost = true;
    side->events->fault(side->owner, reason);
    finish(side);
}

/* One step: false if nothing more is to be taken. */
static bool receive_some(struct side *side, unsigned char *bytes, size_t length, size_t *taken)
{
    struct ws_whole whole;

    switch (ws_reader_next(&side->reader, bytes, length, taken, &whole)) {
    case WS_FAULT:
        lose(side, all_faults[side->from].frame[ws_reader_mistake(&side->reader)]);
        return false;
    case WS_FAULT_CLOSE:
        lose(side, all_faults[side->from].close_frame);
        return false;
    case WS_FAULT_UTF8:
        lose(side, REASON_JSON_UTF8);
        return false;
    case WS_TOO_BIG:
        lose(side, all_faults[side->from].too_big);
        return false;
    case WS_MORE:
        return true;
    case WS_WHOLE:
        on_whole(side, &whole);
        return true;
    case WS_PIECE:
        side->events->piece(side->owner, &whole, false);
        return true;
    case WS_PIECE_LAST:
        side->message_since_ms = 0;
        side->events->piece(side->owner, &whole, true);
        return true;
    }
    return false;
}

/* When the message that has begun did so, and how it goes on. */
static void note_time(struct side *side, size_t had)
{
    uint64_t now_ms = worker_now_ms(side->worker);

    if (!side->reader.in_message) {
        side->message_since_ms = 0;
    } else if (side->message_since_ms == 0) {
        side->message_since_ms = side->message_clock_ms = now_ms;
    } else {
        side->message_clock_ms =
            pace_pay(side->message_clock_ms, now_ms, side->reader.message.length - had);
    }
}

/* Hands out what is there, as far as that may be now: how much of it. */
static size_t receive(struct side *side, unsigned char *bytes, size_t length)
{
    size_t taken, at = 0, had = side->reader.message.length;
    bool more = true;

    for (unsigned turn = 0; more && at < length && turn < FRAMES_A_TURN && !side->held &&
                            side_is_open(side) && !side->close_received;
         turn++, at += taken) {
        taken = 0;
        if (side->reader.message.length < had)
            had = side->reader.message.length;
        more = receive_some(side, bytes + at, length - at, &taken);
    }
    ws_reader_let_go(&side->reader);
    note_time(side, had < side->reader.message.length ? had : side->reader.message.length);
    return !side_is_open(side) || side->close_received || side->is_lost ? length : at;
}

void side_receive(struct side *side, unsigned char *bytes, size_t length)
{
    size_t taken;

    side->upgraded = true;
    taken = receive(side, bytes, length);
    if (taken == length)
        return;
    side->stash = malloc(length - taken);
    if (side->stash == NULL) {
        side->events->fault(side->owner, REASON_OUT_OF_MEMORY);
        return;
    }
    memcpy(side->stash, bytes + taken, length - taken);
    side->stash_length = length - taken;
    side->stash_offset = 0;
}

/* Goes on with what was read before. */
static void resume(struct side *side)
{
    side->stash_offset +=
        receive(side, side->stash + side->stash_offset, side->stash_length - side->stash_offset);
    if (side->stash_offset < side->stash_length)
        return;
    free(side->stash);
    side->stash = NULL;
    side->stash_length = 0;
}

/*
 * A frame of READ_BYTES lies whole in one read, with its header. Of a larger one the rest is read
 * to where it belongs, as long as that is much.
 */
static void read_link(struct side *side)
{
    unsigned char *buffer;
    size_t room = ws_reader_room(&side->reader, &buffer);
    ssize_t received;

    if (room < READ_BYTES) {
        buffer = side->worker->read_buffer + ASSEMBLY_HEADROOM;
        room = ANSWER_READ_BYTES;
    }
    received = endpoint_receive(&side->link, buffer, room);

    if (received < 0 && !side->is_deaf &&
        (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0)
        hang_up(side);
    else if (!side->upgraded)
        side->events->response(side->owner, buffer, (size_t)received);
    else if (!side->is_lost && !side->close_received)
        side_receive(side, buffer, (size_t)received);
}

static void on_ready(struct endpoint *link, int status, int events)
{
    struct side *side = (struct side *)link;

    if (status < 0 || ((events & UV_WRITABLE) != 0 && !endpoint_flush(link)))
        turn_deaf(side);
    if (side->stash_length > 0 && !side->held)
        resume(side);
    else if (((events & UV_READABLE) != 0 || side->is_deaf) && !side->held)
        read_link(side);
    finish(side);
    if (side_is_open(side))
        side->events->flow(side->owner);
}
