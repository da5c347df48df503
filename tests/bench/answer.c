#include "answer.h"

#include "ws.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#define WORD_BYTES_MAX 32 /* of the words below, with their blank */

static const char *const words[] = {
    "the",
    "request",
    "returned",
    "200",
    "in",
    "14.2",
    "ms;",
    "connection",
    "from",
    "127.0.0.1:52344",
    "closed",
    "after",
    "8192",
    "bytes",
    "src/parser/token.c:118:",
    "warning:",
    "unused",
    "variable",
    "\\\"count\\\"",
    "[-Wunused]",
    "if",
    "(length",
    ">=",
    "sizeof",
    "buffer)",
    "return",
    "NULL;",
    "{",
    "}",
    "2025-11-03T08:15:42Z",
    "INFO",
    "worker",
    "started",
    "na\xc3\xafve",
    "caf\xc3\xa9",
    "<a",
    "href=\\\"/docs\\\">",
    "guide</a>",
    "C:\\\\Users\\\\dev",
    "and",
    "is",
    "of",
    "to",
    "a",
    "that",
    "\xe2\x86\x92",
    "for",
    "was",
    "result,",
    "every",
};
#define WORDS          (sizeof words / sizeof words[0])
#define LINE_WORDS_MIN 8

static char text[ANSWER_BODY_BYTES_MAX + WORD_BYTES_MAX];
static char tail[] = "                                \"}],\"isError\":false}}";
#define TAIL_BYTES (sizeof tail - 1 - WORD_BYTES_MAX)

void answer_prepare(void)
{
    uint32_t random = 2463534242; /* the same text in every run */
    unsigned line_words = LINE_WORDS_MIN;
    size_t at = 0;
    while (at < ANSWER_BODY_BYTES_MAX) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        const char *word = words[random % WORDS];
        if (line_words-- == 0) {
            word = "\\n";
            line_words = LINE_WORDS_MIN + (random >> 8) % LINE_WORDS_MIN;
        }
        size_t word_bytes = strlen(word);
        memcpy(text + at, word, word_bytes);
        text[at + word_bytes] = ' ';
        at += word_bytes + 1;
    }
}

bool answer_begin(struct answer *answer, const char *id, size_t id_bytes, size_t body_bytes,
                  const char *fields)
{
    if (body_bytes < ANSWER_BODY_BYTES_MIN || body_bytes > ANSWER_BODY_BYTES_MAX) {
        return false;
    }
    int http_bytes = fields == NULL
                         ? (int)ws_write_header((uint8_t *)answer->head, WS_TEXT, body_bytes, 0)
                         : snprintf(answer->head, sizeof answer->head,
                                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n%s\r\n",
                                    body_bytes, fields);
    int json_bytes = snprintf(answer->head + http_bytes, sizeof answer->head - (size_t)http_bytes,
                              "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":"
                              "{\"content\":[{\"type\":\"text\",\"text\":\"",
                              (int)id_bytes, id);
    size_t room = body_bytes - (size_t)json_bytes - TAIL_BYTES;
    answer->text_bytes = room;
    while (text[answer->text_bytes - 1] != ' ') {
        answer->text_bytes--;
    }
    answer->padding = room - answer->text_bytes;
    answer->head_bytes = (size_t)http_bytes + (size_t)json_bytes;
    answer->sent = 0;
    return true;
}

/* Puts what is left of a part into `*part`, and takes what is sent from `*sent`. */
static int add_part(struct iovec *part, const char *bytes, size_t length, size_t *sent)
{
    if (*sent >= length) {
        *sent -= length;
        return 0;
    }
    *part = (struct iovec){.iov_base = (char *)bytes + *sent, .iov_len = length - *sent};
    *sent = 0;
    return 1;
}

enum answer_progress answer_write(struct answer *answer, int fd)
{
    char *end = tail + WORD_BYTES_MAX - answer->padding;
    size_t end_bytes = TAIL_BYTES + answer->padding;
    size_t total = answer->head_bytes + answer->text_bytes + end_bytes;
    while (answer->sent < total) {
        struct iovec parts[3];
        size_t sent = answer->sent;
        int count = add_part(parts, answer->head, answer->head_bytes, &sent);
        count += add_part(parts + count, text, answer->text_bytes, &sent);
        count += add_part(parts + count, end, end_bytes, &sent);
        ssize_t written = writev(fd, parts, count);
        if (written <= 0) {
            return errno == EAGAIN ? ANSWER_PARTIAL : ANSWER_FAILED;
        }
        answer->sent += (size_t)written;
    }
    return ANSWER_WHOLE;
}
