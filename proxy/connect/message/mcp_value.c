#include "connect/message/mcp_value.h"

#include <string.h>

#define PREFIX "=?base64?"
#define SUFFIX "?="

static bool looks_encoded(struct span text)
{
    size_t prefix = strlen(PREFIX), suffix = strlen(SUFFIX);

    return text.length >= prefix + suffix && memcmp(text.data, PREFIX, prefix) == 0 &&
           memcmp(text.data + text.length - suffix, SUFFIX, suffix) == 0;
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    }
    return text.length > 0 && text.data[0] != ' ' && text.data[text.length - 1] != ' ' &&
           !looks_encoded(text);
}

void mcp_value_write(struct span text, struct buffer *out)
{
    char encoded[4 * ((MCP_VALUE_BYTES_MAX + 2) / 3) + 1];

    if (is_plain(text)) {
        buffer_append(out, text.data, text.length);
        return;
    }
    text_base64((const unsigned char *)text.data, text.length, encoded);
    buffer_append_format(out, PREFIX "%s" SUFFIX, encoded);
}

void mcp_value_line(const char *prefix, const char *name, struct span value, struct buffer *out)
{
    if (value.length > MCP_VALUE_BYTES_MAX)
        return;
    buffer_append_format(out, "%s%s: ", prefix, name);
    mcp_value_write(value, out);
    buffer_append_text(out, "\r\n");
}
