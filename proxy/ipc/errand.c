#include "ipc/errand.h"

/* Which members each kind has; those that it has not are not sent. */
static const struct {
    bool place, number, text;
} members[ERRAND_KIND_COUNT] = {
    [ERRAND_LISTEN] = {.number = true, .text = true},
    [ERRAND_MISSING] = {.number = true, .text = true},
    [ERRAND_TLS] = {.number = true, .text = true},
    [ERRAND_ANSWER] = {.place = true, .number = true, .text = true},
    [ERRAND_GIVE] = {.place = true, .number = true},
    [ERRAND_SPAWN] = {.place = true, .number = true, .text = true},
    [ERRAND_SPAWNED] = {.place = true, .number = true},
    [ERRAND_ENDED] = {.place = true, .number = true},
    [ERRAND_PROOF] = {.place = true, .number = true},
    [ERRAND_LAUNCHER] = {.place = true, .number = true},
    [ERRAND_CONFIG] = {.number = true},
    [ERRAND_START] = {.place = true, .text = true},
    [ERRAND_END] = {.place = true, .number = true},
    [ERRAND_ENTER] = {.place = true, .number = true},
    [ERRAND_DIAL] = {.place = true, .number = true},
    [ERRAND_DIALED] = {.place = true, .number = true},
    [ERRAND_UNDIALED] = {.place = true, .number = true},
    [ERRAND_SERVICE] = {.place = true, .number = true, .text = true},
    [ERRAND_PORTS] = {.place = true, .number = true, .text = true},
    [ERRAND_FENCED] = {.place = true, .number = true, .text = true},
    [ERRAND_PROVE] = {.place = true},
    [ERRAND_PROVEN] = {.place = true},
    [ERRAND_EXITED] = {.place = true, .number = true, .text = true},
    [ERRAND_REFUSED] = {.place = true, .text = true},
    [ERRAND_UNREACHED] = {.place = true, .number = true, .text = true},
    [ERRAND_CALLER] = {.place = true, .number = true},
    [ERRAND_PROGRAM] = {.place = true, .number = true, .text = true},
    [ERRAND_VISIT] = {.place = true, .number = true, .text = true},
    [ERRAND_LEAVE] = {.place = true, .text = true},
    [ERRAND_FULL] = {.place = true, .number = true, .text = true},
    [ERRAND_LEFT] = {.place = true, .number = true, .text = true},
    [ERRAND_SIGHT] = {.place = true, .number = true},
    [ERRAND_PROCESSES] = {.place = true, .number = true},
    [ERRAND_LIMIT] = {.place = true, .number = true},
    [ERRAND_STANDARD] = {.number = true},
    [ERRAND_ALONE] = {.place = true, .text = true},
    [ERRAND_OVER] = {.place = true, .number = true, .text = true},
};

void errand_encode(struct ipc_writer *writer, const struct errand *errand)
{
    writer->length = 0;
    writer->failed = false;
    ipc_put_number(writer, errand->kind, 1);
    if (members[errand->kind].place)
        ipc_put_number(writer, errand->place, 4);
    if (members[errand->kind].number)
        ipc_put_number(writer, errand->number, 4);
    if (members[errand->kind].text)
        ipc_put_text(writer, errand->text != NULL ? errand->text : "");
}

enum error errand_decode(const void *bytes, size_t length, struct errand *out)
{
    struct ipc_reader reader = {.bytes = bytes, .length = length};
    uint64_t kind = ipc_get_number(&reader, 1);
    struct errand errand = {.kind = ERRAND_NONE};

    if (kind == ERRAND_NONE || kind >= ERRAND_KIND_COUNT)
        return ERROR_SYNTAX;
    errand.kind = (enum errand_kind)kind;
    if (members[kind].place)
        errand.place = (uint32_t)ipc_get_number(&reader, 4);
    if (members[kind].number)
        errand.number = (uint32_t)ipc_get_number(&reader, 4);
    if (members[kind].text) {
        errand.text = ipc_get_text(&reader);
        reader.failed = reader.failed || errand.text == NULL;
    }
    if (!ipc_reader_done(&reader))
        return ERROR_SYNTAX;
    *out = errand;
    return OK;
}
