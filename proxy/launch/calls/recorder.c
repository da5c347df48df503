#include "launch/calls/recorder.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME  0x100000001b3u

bool recorder_is_on(const struct recorder *recorder)
{
    return recorder->channel >= 0;
}

/* Never 0, which stands for none. Who makes two of his own files meet hides one from his operator,
 * as he does by not touching it. */
static uint64_t mark_of(enum record_kind kind, uint32_t number, const char *text)
{
    uint64_t mark = (FNV_OFFSET ^ kind) * FNV_PRIME;

    mark = (mark ^ number) * FNV_PRIME;
    for (; *text != '\0'; text++)
        mark = (mark ^ (unsigned char)*text) * FNV_PRIME;
    return mark | 1;
}

static bool send_one(const struct recorder *recorder, const struct record *record)
{
    return send(recorder->channel, record, record_length(record), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool tell_lost(struct recorder *recorder)
{
    const struct record record = {.kind = RECORD_LOST, .number = recorder->lost};

    if (recorder->lost > 0 && send_one(recorder, &record))
        recorder->lost = 0;
    return recorder->lost == 0;
}

void recorder_tell(struct recorder *recorder, enum record_kind kind, uint32_t number,
                   const char *text)
{
    uint64_t mark = mark_of(kind, number, text), *seen = &recorder->seen[mark % RECORDER_SEEN];
    struct record record = {.kind = kind, .number = number};

    if (!recorder_is_on(recorder) || *seen == mark)
        return;
    snprintf(record.text, sizeof(record.text), "%s", text);
    if (tell_lost(recorder) && send_one(recorder, &record))
        *seen = mark;
    else if (recorder->lost < UINT32_MAX)
        recorder->lost++;
}

bool recorder_has(const struct recorder *recorder, enum record_kind kind, const char *text)
{
    uint64_t mark = mark_of(kind, 0, text);

    return recorder->seen[mark % RECORDER_SEEN] == mark;
}

void recorder_end(struct recorder *recorder)
{
    if (recorder_is_on(recorder))
        (void)tell_lost(recorder);
}
