#include "connect/bridge/output.h"

#include "base/secret.h"

void output_init(struct output *output, size_t max_bytes)
{
    *output = (struct output){.gone = 0};
    buffer_init(&output->bytes, max_bytes);
}

void output_clear(struct output *output)
{
    buffer_wipe(&output->bytes);
    output->gone = 0;
}

bool output_add(struct output *output, const char *bytes, size_t length)
{
    buffer_append(&output->bytes, bytes, length);
    return !buffer_failed(&output->bytes);
}

struct span output_rest(const struct output *output)
{
    if (output->bytes.data == NULL)
        return (struct span){"", 0};
    return (struct span){output->bytes.data + output->gone, output->bytes.length - output->gone};
}

/* What is left moves to the front when it is the smaller part, so that no byte moves often. */
void output_taken(struct output *output, size_t length)
{
    secret_wipe(output->bytes.data + output->gone, length);
    output->gone += length;
    if (output->gone < output->bytes.length / 2)
        return;
    buffer_consume(&output->bytes, output->gone);
    output->gone = 0;
}
