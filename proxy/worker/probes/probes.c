#include "worker/probes/probes.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (4 * 1024 * 1024)

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void watch(struct probes *probes, bool on)
{
    for (size_t i = 0; i < probes->door_count && on != probes->watching; i++) {
        if (probes->doors[i].open && on)
            uv_poll_start(&probes->doors[i].poll, UV_READABLE, on_acceptable);
        else if (probes->doors[i].open)
            uv_poll_stop(&probes->doors[i].poll);
    }
    probes->watching = on;
}

/* ---- What is asked ---- */

static bool is_fresh(const struct probes *probes)
{
    return probes->told_ms != 0 &&
           worker_now_ms(probes->worker) - probes->told_ms < PROBES_FRESH_MS;
}

static void judge(struct probe *probe, const struct http_request *request)
{
    static const struct probe_facts nothing;
    struct probes *probes = probe->listener->context;
    const struct config *config = probes->worker->config;

    if (request != NULL)
        probe->verdict = probe_request_judge(request, &config->telemetry.hosts);
    else
        probe->verdict =
            (struct probe_verdict){.status = 400, .why = "This is no request of HTTP/1.1."};
    if (probe->verdict.page == PROBE_NONE) {
        probes->strays++;
        probe_answer(probe, &nothing);
        return;
    }
    if (is_fresh(probes)) {
        probe_answer(probe, &probes->facts);
        return;
    }
    if (!probes->asked)
        probes->asked = worker_tell(probes->worker, IPC_SCRAPE, NULL);
    if (probes->asked)
        probe_wait(probe);
    else
        probe_answer(probe, &nothing);
}

static bool read_text(struct probes *probes, uint64_t bytes, int fd)
{
    char *into;

    buffer_clear(&probes->text);
    if (bytes == 0 || bytes > TEXT_BYTES_MAX)
        return false;
    into = buffer_reserve(&probes->text, (size_t)bytes);
    if (into == NULL || read(fd, into, (size_t)bytes) != (ssize_t)bytes)
        return false;
    buffer_commit(&probes->text, (size_t)bytes);
    return true;
}

bool probes_take(struct probes *probes, const struct ipc_scraped *scraped, int fd)
{
    struct probe *next;

    if (!probes->asked || (fd >= 0) != (scraped->bytes > 0))
        return false;
    probes->asked = false;
    probes->told_ms = worker_now_ms(probes->worker);
    probes->facts = (struct probe_facts){.known = true, .unready = scraped->unready};
    if (fd >= 0) {
        if (read_text(probes, scraped->bytes, fd))
            probes->facts.metrics = (struct span){probes->text.data, probes->text.length};
        close(fd);
    }
    for (struct probe *probe = probes->first; probe != NULL; probe = next) {
        next = probe->next;
        if (probe->state == PROBE_WAITING)
            probe_answer(probe, &probes->facts);
    }
    return true;
}

/* ---- Who comes ---- */

static void over(struct probe *probe)
{
    struct probes *probes = probe->listener->context;
    struct probe **at = &probes->first;

    while (*at != probe)
        at = &(*at)->next;
    *at = probe->next;
    probes->count--;
    probe_destroy(probe);
}

/* Whoever has what he asked for, or has asked for nothing, the oldest first. */
static void make_room(struct probes *probes)
{
    for (struct probe *probe = probes->first; probe != NULL; probe = probe->next) {
        if (probe->state == PROBE_READING || probe->state == PROBE_PARTING) {
            probe_end(probe);
            return;
        }
    }
}

static void welcome(struct probes *probes, int fd)
{
    struct probe **last = &probes->first;
    struct probe *probe = probe_create(&probes->worker->loop, fd, &probes->listener);

    if (probe == NULL)
        return;
    while (*last != NULL)
        last = &(*last)->next;
    *last = probe;
    probes->count++;
}

/* One a turn; with the next round all others have theirs. */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct probes_door *door = poll->data;
    struct probes *probes = door->probes;
    int fd;

    (void)events;
    if (probes->count >= PROBES_MAX)
        make_room(probes);
    if (status < 0 || probes->count >= PROBES_MAX + PROBES_DOORS_MAX ||
        ++probes->accepted > PROBES_PER_ROUND_MAX) {
        watch(probes, false);
        return;
    }
    fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        welcome(probes, fd);
    else
        watch(probes, false); /* of descriptors there are none, or nobody is there any more */
}

void probes_init(struct probes *probes, struct worker *worker)
{
    *probes = (struct probes){.worker = worker,
                              .listener = {.judge = judge, .over = over, .context = probes}};
    buffer_init(&probes->text, TEXT_BYTES_MAX);
}

enum error probes_add(struct probes *probes, int fd)
{
    struct probes_door *door = &probes->doors[probes->door_count];

    if (probes->door_count == PROBES_DOORS_MAX)
        return ERROR_LIMIT;
    if (uv_poll_init(&probes->worker->loop, &door->poll, fd) != 0)
        return ERROR_IO;
    door->poll.data = door;
    door->probes = probes;
    door->fd = fd;
    door->open = true;
    probes->door_count++;
    probes->watching = true;
    return uv_poll_start(&door->poll, UV_READABLE, on_acceptable) == 0 ? OK : ERROR_IO;
}

void probes_tick(struct probes *probes)
{
    static const struct probe_facts nothing;
    uint64_t now_ms = worker_now_ms(probes->worker);
    struct probe *next;

    for (struct probe *probe = probes->first; probe != NULL; probe = next) {
        next = probe->next;
        if (probe->state == PROBE_OVER || now_ms < probe->deadline_ms)
            continue;
        if (probe->state == PROBE_WAITING)
            probe_answer(probe, &nothing);
        else
            probe_end(probe);
    }
    probes->accepted = 0;
    watch(probes, true);
}

void probes_shut(struct probes *probes)
{
    for (size_t i = 0; i < probes->door_count; i++) {
        struct probes_door *door = &probes->doors[i];

        if (!door->open)
            continue;
        door->open = false;
        uv_close((uv_handle_t *)&door->poll, NULL);
        close(door->fd);
    }
}

void probes_stop(struct probes *probes)
{
    probes_shut(probes);
    for (struct probe *probe = probes->first; probe != NULL; probe = probe->next)
        probe_end(probe);
}

void probes_release(struct probes *probes)
{
    buffer_clear(&probes->text);
}
