/*
 * What scanning costs: CPU per byte of texts of several kinds. Prints "KIND PICOSECONDS" lines;
 * `scan_against` builds it on another commit too and compares.
 */
#include "base/text.h"
#if __has_include("policy/json_scan.h")
#include "policy/json_scan.h" /* where older commits have it */
#else
#include "json/scan.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_BYTES 65536
#define ROUND_NS   4000000 /* of one measurement */
#define ROUNDS     41
#define MESSAGE                                                                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"                                            \
    "call\",\"params\":{\"name\":\"echo\",\"arguments\":{"
#define MESSAGE_END "}}}"

/* `unit`, in which $ is a number that counts up, as often as it fits between `head` and `tail`. */
static const struct kind {
    const char *name, *head, *unit, *tail;
    size_t bytes;
} kinds[] = {
    {"message_300", MESSAGE "\"text\":\"", "the quick brown fox jumps over ", "\"" MESSAGE_END,
     300},
    {"members_300", MESSAGE, "\"k$\":$,", "\"last\":true" MESSAGE_END, 300},
    {"arrays", "[", "[],", "[]]", TEXT_BYTES},
    {"objects", "[", "{},", "{}]", TEXT_BYTES},
    {"nested", "[", "[[[{\"a\":[1]}]]],", "0]", TEXT_BYTES},
    {"keys_4000", "[{", "\"key$\":1,", "\"last\":0}]", 47000},
    {"rows", "[", "{\"id\":$,\"name\":\"row\",\"ok\":true},", "0]", TEXT_BYTES},
    {"strings", "[", "\"a\xc3\xa9\",", "0]", TEXT_BYTES},
    {"numbers", "[", "$,-1.5e3,", "0]", TEXT_BYTES},
    {"text", "[\"", "plain text without anything in it. ", "\"]", TEXT_BYTES},
    {"escapes", "[\"", "line\\n\\tand \\\"quoted\\\" ", "\"]", TEXT_BYTES},
    {"beyond_ascii", "[\"", "\xce\xb1\xce\xb2\xce\xb3 \xe4\xb8\xad\xe6\x96\x87 ", "\"]",
     TEXT_BYTES},
};

static size_t write_unit(char *out, const char *unit, unsigned number)
{
    size_t length = 0;

    for (; *unit != '\0'; unit++) {
        if (*unit == '$')
            length += (size_t)sprintf(out + length, "%u", number);
        else
            out[length++] = *unit;
    }
    return length;
}

static size_t write_text(const struct kind *kind, char *out)
{
    size_t length = strlen(kind->head), tail = strlen(kind->tail);

    memcpy(out, kind->head, length);
    for (unsigned i = 0; length + tail + 64 < kind->bytes; i++)
        length += write_unit(out + length, kind->unit, i);
    memcpy(out + length, kind->tail, tail);
    return length + tail;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(struct json_scan *scan, const struct kind *kind)
{
    char params[] = "params", ref[] = "ref";
    struct text_list descend = {0};
    char *text = malloc(kind->bytes + 128);
    size_t length = write_text(kind, text);
    unsigned times = 1;
    double least = 1e18;

    if (text_list_add(&descend, params, strlen(params)) != OK ||
        text_list_add(&descend, ref, strlen(ref)) != OK)
        abort();
    for (unsigned round = 0; round < ROUNDS; round++) {
        double from = now_ns(), took;

        for (unsigned i = 0; i < times; i++) {
            enum reason reason = json_scan_text(scan, text, length, &descend);

            if (!reason_allows(reason)) {
                fprintf(stderr, "%s: %s\n", kind->name, reason_info(reason)->code);
                exit(1);
            }
        }
        took = now_ns() - from;
        if (round == 0 || took < ROUND_NS / 4.0)
            times = took < ROUND_NS ? (unsigned)(times * ROUND_NS / (took + 1)) + 1 : times;
        else if (took / times < least)
            least = took / times;
    }
    printf("%s %.0f\n", kind->name, least * 1000 / (double)length);
    text_list_clear(&descend);
    free(text);
}

/* Of all kinds, or of the one that is named. */
int main(int argc, char **argv)
{
    struct json_scan *scan;

    if (json_scan_create(&scan) != OK)
        return 1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (argc < 2 || strcmp(argv[1], kinds[i].name) == 0)
            measure(scan, &kinds[i]);
    json_scan_destroy(scan);
    return 0;
}
