/*
 * Lists, in pages that are built in bounded time: at most so many rows and, whatever is in them,
 * about so many bytes. Called by its rows in routes.c.
 */
#include "broker/control/exchange.h"

#include "broker/control/json.h"
#include "broker/core/journal.h"
#include "json/parse.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* A page in the making: the rows so far are in the body. */
struct page {
    struct exchange *exchange;
    struct buffer *out;
    int64_t now;
    size_t rows, limit;
    bool more;
    char next[CONTROL_CURSOR_SIZE]; /* of the last row */
    enum error error;
};

static enum error begin_page(struct exchange *exchange, const char *member, struct page *page)
{
    const char *limit = exchange_query(exchange, "limit");
    char *end = NULL;
    unsigned long rows = limit != NULL ? strtoul(limit, &end, 10) : CONTROL_PAGE_ROWS;

    if (limit != NULL && (*limit < '0' || *limit > '9' || *end != '\0'))
        rows = 0;
    if (rows == 0 || rows > CONTROL_PAGE_ROWS_MAX)
        return operation_fail(&exchange->operation, ERROR_SYNTAX,
                              "a page's \"limit\" is 1 to %d rows", CONTROL_PAGE_ROWS_MAX);
    *page = (struct page){.exchange = exchange,
                          .out = exchange_write(exchange, "application/json"),
                          .now = clock_now(),
                          .limit = rows};
    buffer_append_format(page->out, "{\"%s\":[", member);
    return OK;
}

/* One more row, of which this takes the document over. False: this page is full. */
static bool add_row(struct page *page, json_t *row)
{
    if (page->rows++ > 0)
        buffer_append_text(page->out, ",");
    page->error = json_append(page->out, row);
    return page->error == OK;
}

static bool is_full(struct page *page)
{
    page->more = page->rows >= page->limit || page->out->length >= CONTROL_PAGE_BYTES;
    return page->more;
}

static enum error end_page(struct page *page, enum error error)
{
    if (error == OK)
        error = page->error;
    if (page->more)
        buffer_append_format(page->out, "],\"next\":\"%s\"}\n", page->next);
    else
        buffer_append_text(page->out, "],\"next\":null}\n");
    return error;
}

static bool list_record(void *context, const struct store_params *params)
{
    struct page *page = context;

    if (is_full(page))
        return false;
    snprintf(page->next, sizeof(page->next), "%s", params->name);
    return add_row(page, control_json_params(params));
}

enum error lists_params(struct exchange *exchange)
{
    const char *after = exchange_query(exchange, "after");
    struct page page;
    enum error error = begin_page(exchange, "params", &page);

    if (error != OK)
        return error;
    error =
        store_params_after(exchange->gate->store, after != NULL ? after : "", list_record, &page);
    return end_page(&page, error);
}

static bool list_session(void *context, const struct session *session)
{
    struct page *page = context;

    if (is_full(page))
        return false;
    snprintf(page->next, sizeof(page->next), "%" PRId64 ".%s", session->created_at, session->id);
    return add_row(page, control_json_session(page->exchange->gate, session, page->now));
}

/* Where a page of sessions begins: after one that was made then and has that id. */
static enum error read_cursor(struct exchange *exchange, int64_t *created_at, const char **id)
{
    const char *after = exchange_query(exchange, "after");
    char *end;

    *created_at = 0;
    *id = "";
    if (after == NULL)
        return OK;
    *created_at = strtoll(after, &end, 10);
    if (*after < '0' || *after > '9' || *end != '.' || !token_id_valid(end + 1))
        return operation_fail(&exchange->operation, ERROR_SYNTAX,
                              "\"after\" is the \"next\" of the page before");
    *id = end + 1;
    return OK;
}

enum error lists_sessions(struct exchange *exchange)
{
    int64_t created_at;
    const char *id;
    struct page page;
    enum error error = read_cursor(exchange, &created_at, &id);

    if (error == OK)
        error = begin_page(exchange, "sessions", &page);
    if (error != OK)
        return error;
    error = store_sessions_after(exchange->gate->store, created_at, id, list_session, &page);
    return end_page(&page, error);
}
