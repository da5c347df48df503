/* What is asked about parameter records. Called by its rows in routes.c. */
#include "broker/control/exchange.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "json/parse.h"

#include <jansson.h>

void answer_put(struct exchange *exchange)
{
    records_put(&exchange->operation, exchange->name, exchange_query(exchange, "surface"),
                exchange->request->body, &exchange->stored);
}

enum error answer_stored(struct exchange *exchange)
{
    exchange->document = control_json_params(&exchange->stored);
    return OK;
}

/*
 * The record itself is the last member: as it was put if it is revealed, byte
 * for byte, so it is no document that could be written anew.
 */
static enum error write_record(struct exchange *exchange, const struct store_params *stored,
                               struct span text, bool reveal)
{
    struct buffer *out = exchange_write(exchange, "application/json");
    enum error error = json_append(out, control_json_params(stored));

    if (error != OK || buffer_failed(out))
        return error;
    out->length--; /* the brace at its end */
    buffer_append_format(out, ",\"revealed\":%s,\"record\":", reveal ? "true" : "false");
    error = control_input_mask(out, text, reveal);
    buffer_append_text(out, "}\n");
    return error;
}

enum error answer_record(struct exchange *exchange)
{
    bool reveal = exchange_asks(exchange, "reveal");
    struct store_params stored;
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = records_get(&exchange->operation, exchange->name, reveal, &stored, &json);
    if (error == OK)
        error = write_record(exchange, &stored, (struct span){json.data, json.length}, reveal);
    buffer_wipe(&json);
    return error;
}

void answer_remove(struct exchange *exchange)
{
    records_remove(&exchange->operation, exchange->name);
}
