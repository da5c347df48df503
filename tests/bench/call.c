#include "call.h"

#include <stdio.h>
#include <string.h>

#define ID_DIGITS     15
#define NUMBER_DIGITS 20

static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char method[] = ",\"method\":\"tools/call\",\"params\":{\"name\":\"";
static const char initialize[] =
    ",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","
    "\"capabilities\":{},\"clientInfo\":{\"version\":\"1\",\"name\":\"";
static const char arguments[] = "\",\"arguments\":{";
static const char message[] = "\"message\":\"";
static const char tail[] = "\"}}}";
static const char filler[] = "the quick brown fox jumps over the lazy dog, ";

static char *append(char *at, const char *text)
{
    return mempcpy(at, text, strlen(text));
}

static char *append_id(char *at, uint64_t id)
{
    for (unsigned i = ID_DIGITS; i > 0; i--) {
        at[i - 1] = (char)('0' + id % 10);
        id /= 10;
    }
    return at + ID_DIGITS;
}

/* Ends what has been written up to `at` with the filler and the tail. */
static void fill(char out[CALL_BYTES], char *at)
{
    char *end = out + CALL_BYTES - (sizeof tail - 1);
    for (size_t i = 0; at < end; i++) {
        *at++ = filler[i % (sizeof filler - 1)];
    }
    memcpy(end, tail, sizeof tail - 1);
}

bool call_write(char out[CALL_BYTES], uint64_t id, const char *tool, size_t result_bytes)
{
    char bytes_member[sizeof "\"bytes\":," + NUMBER_DIGITS] = "";
    if (strlen(tool) > CALL_TOOL_BYTES_MAX) {
        return false;
    }
    if (result_bytes > 0) {
        (void)snprintf(bytes_member, sizeof bytes_member, "\"bytes\":%zu,", result_bytes);
    }
    char *at = append_id(append(out, head), id);
    at = append(append(append(at, method), tool), arguments);
    fill(out, append(append(at, bytes_member), message));
    return true;
}

void call_write_initialize(char out[CALL_BYTES], uint64_t id)
{
    fill(out, append(append_id(append(out, head), id), initialize));
}

bool call_is_initialize(const void *request, size_t length)
{
    return memmem(request, length, initialize, sizeof initialize - 1) != NULL;
}

void call_lengthen(char *out, size_t total_bytes)
{
    char *at = out + CALL_BYTES - (sizeof tail - 1);
    char *end = out + total_bytes - (sizeof tail - 1);
    while (at < end) {
        size_t room = (size_t)(end - at);
        at = mempcpy(at, filler, room < sizeof filler - 1 ? room : sizeof filler - 1);
    }
    memcpy(end, tail, sizeof tail - 1);
}

enum call_answer call_judge(const void *answer, size_t length, uint64_t id)
{
    char expected[CALL_JUDGED_BYTES];
    char *end = append(append_id(append(expected, head), id), ",\"result\":");
    size_t expected_bytes = (size_t)(end - expected);
    if (length >= expected_bytes && memcmp(answer, expected, expected_bytes) == 0) {
        return CALL_RESULT;
    }
    return memmem(answer, length, "\"error\":{", 9) != NULL ? CALL_ERROR : CALL_STRANGE;
}

bool call_read_number(const void *request, size_t length, const char *name, const char **digits,
                      size_t *count)
{
    char member[32];
    int member_bytes = snprintf(member, sizeof member, "\"%s\":", name);
    const char *found = memmem(request, length, member, (size_t)member_bytes);
    if (found == NULL) {
        return false;
    }
    *digits = found + member_bytes;
    size_t room = length - (size_t)(*digits - (const char *)request);
    *count = 0;
    while (*count < room && *count < NUMBER_DIGITS && (*digits)[*count] >= '0' &&
           (*digits)[*count] <= '9') {
        (*count)++;
    }
    return *count > 0;
}
