/*
 * What `sidelock connect` reads, of its client and of what is behind the gate: lines come out the
 * same wherever their bytes are split; a message that is taken is one line, has the kind and the id
 * that jansson sees, and under another id is the same message; and the headers that repeat it
 * are lines of printable ASCII. The first byte is where the bytes are split. The last line, if it
 * is an answer to tools/list, teaches what the calls before it have to repeat.
 */
#include "connect/message/lines.h"
#include "connect/message/mcp_headers.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 4096
#define OUT_BYTES_MAX  (1024 * 1024)
#define OTHER_ID       "4503599627370495"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_scan *scan;

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Appends the lines with LF, and an empty byte for each that is too long. */
static void split(struct span text, size_t step, struct buffer *out)
{
    struct lines lines;
    struct span line;
    size_t taken;

    lines_init(&lines, LINE_BYTES_MAX);
    for (size_t at = 0; at < text.length; at += taken) {
        size_t part = text.length - at < step ? text.length - at : step;
        enum lines_progress progress = lines_next(&lines, text.data + at, part, &taken, &line);

        require(taken > 0 && taken <= part);
        if (progress == LINES_LINE) {
            require(line.length <= LINE_BYTES_MAX);
            buffer_append(out, line.data, line.length);
            buffer_append_text(out, "\n");
        } else if (progress == LINES_TOO_LONG) {
            buffer_append(out, "", 1);
        }
    }
    if (lines_rest(&lines, &line))
        buffer_append(out, line.data, line.length);
    lines_clear(&lines);
    require(!buffer_failed(out));
}

static void check_headers(const struct rpc *rpc, const struct mcp_tools *tools)
{
    struct buffer out;
    bool in_value = false;

    buffer_init(&out, OUT_BYTES_MAX);
    mcp_headers_write(scan, rpc, tools, &out);
    require(!buffer_failed(&out));
    for (size_t i = 0; i < out.length; i++) {
        char c = out.data[i];

        if (c == '\r') { /* ends a line, after a name and a colon */
            require(in_value && i + 1 < out.length && out.data[i + 1] == '\n');
            in_value = false;
            i++;
        } else {
            require(c >= 0x20 && c <= 0x7e);
            in_value = in_value || c == ':';
        }
    }
    require(!in_value);
    buffer_clear(&out);
}

/* The message under another id is a message of that id; back under its own it is the same. */
static void check_other_id(struct span text, const struct rpc *rpc)
{
    struct span id = rpc->id;
    struct buffer other, again;
    struct rpc moved;
    char *own = text_copy(id);

    buffer_init(&other, OUT_BYTES_MAX);
    buffer_init(&again, OUT_BYTES_MAX);
    rpc_write_with_id(&other, text, id, OTHER_ID);
    require(!buffer_failed(&other));
    require(rpc_read(scan, other.data, other.length, &moved) == OK);
    require(strcmp(moved.id_key, OTHER_ID) == 0 && moved.kind == rpc->kind &&
            strcmp(moved.method, rpc->method) == 0 && strcmp(moved.version, rpc->version) == 0);
    rpc_write_with_id(&again, (struct span){other.data, other.length}, moved.id, own);
    require(again.length == text.length && memcmp(again.data, text.data, text.length) == 0);
    free(own);
    buffer_clear(&other);
    buffer_clear(&again);
}

static void check_message(char *text, size_t length, const struct mcp_tools *tools)
{
    struct rpc rpc;
    json_t *root, *id;

    if (rpc_read(scan, text, length, &rpc) != OK)
        return;
    require(memchr(text, '\n', length) == NULL && memchr(text, '\r', length) == NULL);
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) /* what is odd in it jansson has no room for */
        return;
    require(json_is_object(root));
    id = json_object_get(root, "id");
    require((rpc.id_key[0] != '\0') == (id != NULL && !json_is_null(id)));
    if (rpc.id_key[0] == '"')
        require(strcmp(rpc.id_key + 1, json_string_value(id)) == 0);
    else if (rpc.id_key[0] != '\0')
        require(strtoll(rpc.id_key, NULL, 10) == json_integer_value(id));
    require((rpc.kind == RPC_RESPONSE) == (json_object_get(root, "method") == NULL));
    require(rpc.kind != RPC_REQUEST || rpc.id_key[0] != '\0');
    json_decref(root);
    check_headers(&rpc, tools);
    if (rpc.id.data != NULL)
        check_other_id((struct span){text, length}, &rpc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data + 1, size - 1};
    struct buffer whole, pieces;
    struct mcp_tools tools = {NULL, 0};
    char *line, *next, *last;

    if (size < 1)
        return 0;
    if (scan == NULL)
        require(json_scan_create(&scan) == OK);
    buffer_init(&whole, OUT_BYTES_MAX);
    buffer_init(&pieces, OUT_BYTES_MAX);
    split(text, SIZE_MAX, &whole);
    split(text, data[0] + 1u, &pieces);
    require(whole.length == pieces.length &&
            (whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0));
    if (whole.length > 0) {
        last = memrchr(whole.data, '\n', whole.length);
        last = last != NULL ? last + 1 : whole.data;
        mcp_tools_learn(&tools, (struct span){last, whole.length - (size_t)(last - whole.data)});
        for (line = whole.data; line < last; line = next + 1) {
            next = memchr(line, '\n', (size_t)(last - line));
            check_message(line, (size_t)(next - line), &tools);
        }
    }
    mcp_tools_clear(&tools);
    buffer_clear(&whole);
    buffer_clear(&pieces);
    return 0;
}
