#include "broker/telemetry/exposition.h"

#include <inttypes.h>
#include <stdio.h>

#define US_PER_S      1000000
#define DURATION_SIZE 32

void exposition_header(struct buffer *out, const struct metric *metric)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                         metric->name, metric->type);
}

static void append_name(struct buffer *out, const struct metric *metric, const char *suffix,
                        const char *labels)
{
    buffer_append_format(out, labels[0] != '\0' ? "%s%s{%s} " : "%s%s%s ", metric->name, suffix,
                         labels);
}

void exposition_number(struct buffer *out, const struct metric *metric, const char *labels,
                       uint64_t value)
{
    append_name(out, metric, "", labels);
    buffer_append_format(out, "%" PRIu64 "\n", value);
}

/* As short as it can be: "0.0005", "10". */
static const char *print_duration(uint64_t value_us, char out[DURATION_SIZE])
{
    size_t length = (size_t)snprintf(out, DURATION_SIZE, "%" PRIu64 ".%06" PRIu64,
                                     value_us / US_PER_S, value_us % US_PER_S);

    while (out[length - 1] == '0')
        length--;
    out[out[length - 1] == '.' ? length - 1 : length] = '\0';
    return out;
}

void exposition_duration(struct buffer *out, const struct metric *metric, const char *labels,
                         uint64_t value_us)
{
    char text[DURATION_SIZE];

    append_name(out, metric, "", labels);
    buffer_append_format(out, "%s\n", print_duration(value_us, text));
}

void exposition_histogram(struct buffer *out, const struct metric *metric, const char *labels,
                          const struct histogram *histogram)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    char text[DURATION_SIZE];
    uint64_t count = 0;

    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->buckets[i];
        buffer_append_format(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", metric->name, labels,
                             comma, print_duration(histogram_bounds_us[i], text), count);
    }
    count += histogram->buckets[HISTOGRAM_BOUNDS];
    buffer_append_format(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric->name, labels,
                         comma, count);
    append_name(out, metric, "_sum", labels);
    buffer_append_format(out, "%s\n", print_duration(histogram->sum_us, text));
    append_name(out, metric, "_count", labels);
    buffer_append_format(out, "%" PRIu64 "\n", count);
}
