#include "worker/probes/probes.h"

#include <errno.h>
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

/* ---- Who gives way ---- */

/* Those of one peer, or of all (NULL); those that read the metrics, or whatever they ask for. */
struct crowd {
    const struct probe_peer *peer;
    bool metrics;
};

static bool is_of(const struct probe *probe, const struct crowd *crowd)
{
    const struct probe_peer *peer = crowd->peer;

    if (probe->state == PROBE_OVER ||
        (peer != NULL && (peer->kind != probe->peer.kind || peer->number != probe->peer.number)))
        return false;
    return !crowd->metrics || (probe->verdict.page == PROBE_METRICS &&
                               (probe->state == PROBE_WAITING || probe->state == PROBE_SENDING));
}

static size_t count(const struct probes *probes, const struct crowd *crowd)
{
    size_t of = 0;

    for (const struct probe *probe = probes->first; probe != NULL; probe = probe->next)
        of += is_of(probe, crowd);
    return of;
}

/*
 * The oldest that has asked for nothing, or has what it asked for; else the oldest that does not
 * take its answer. Whoever waits for the broker does not wait for long, and stays.
 */
static struct probe *find_idlest(const struct probes *probes, const struct crowd *crowd)
{
    struct probe *sending = NULL;

    for (struct probe *probe = probes->first; probe != NULL; probe = probe->next) {
        if (!is_of(probe, crowd))
            continue;
        if (probe->state == PROBE_READING || probe->state == PROBE_PARTING)
            return probe;
        if (probe->state == PROBE_SENDING && sending == NULL)
            sending = probe;
    }
    return sending;
}

/* Until there is room for one more, if anybody can give way. */
static bool make_room(struct probes *probes, const struct crowd *crowd, size_t max)
{
    struct probe *idlest;

    if (count(probes, crowd) < max)
        return true;
    idlest = find_idlest(probes, crowd);
    if (idlest != NULL)
        probe_end(idlest);
    return idlest != NULL;
}

/* ---- What is asked ---- */

static bool is_fresh(const struct probes *probes)
{
    return probes->told_ms != 0 &&
           worker_now_ms(probes->worker) - probes->told_ms < PROBES_FRESH_MS;
}

/* They are long, so that there are fewer of them: none takes the place of a probe. */
static struct probe_verdict admit_metrics(struct probes *probes, const struct probe *probe,
                                          struct probe_verdict verdict)
{
    const struct crowd all = {.metrics = true}, own = {.peer = &probe->peer, .metrics = true};

    if (++probes->scrapes <= PROBES_SCRAPES_PER_ROUND_MAX &&
        make_room(probes, &own, PROBES_SCRAPES_PER_PEER_MAX) &&
        make_room(probes, &all, PROBES_SCRAPES_MAX))
        return verdict;
    return (struct probe_verdict){.status = 503,
                                  .why = "Too many read the metrics now; ask again in a second.",
                                  .head_only = verdict.head_only};
}

static struct probe_verdict find_verdict(struct probes *probes, const struct probe *probe,
                                         const struct http_request *request)
{
    struct probe_verdict verdict = {.status = 400, .why = "This is no request of HTTP/1.1."};

    if (request != NULL)
        verdict = probe_request_judge(request, &probes->worker->config->telemetry.hosts);
    if (verdict.page == PROBE_NONE)
        probes->strays++;
    return verdict.page == PROBE_METRICS ? admit_metrics(probes, probe, verdict) : verdict;
}

static void judge(struct probe *probe, const struct http_request *request)
{
    static const struct probe_facts nothing;
    struct probes *probes = probe->listener->context;

    probe->verdict = find_verdict(probes, probe, request);
    if (probe->verdict.page == PROBE_NONE) {
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
    watch(probes, true); /* there may have been no room but that of those who waited */
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
    probe_destroy(probe);
}

static void welcome(struct probes *probes, int fd)
{
    struct probe **last = &probes->first;
    struct probe *probe = probe_create(&probes->worker->loop, fd, &probes->listener);
    struct crowd own;

    if (probe == NULL)
        return;
    own = (struct crowd){.peer = &probe->peer};
    (void)make_room(probes, &own, PROBES_PER_PEER_MAX);
    while (*last != NULL)
        last = &(*last)->next;
    *last = probe;
    probe_begin(probe);
}

/* One that came. False: in this turn there is none more. */
static bool accept_one(struct probes *probes, const struct probes_door *door)
{
    static const struct crowd all;
    int fd;

    if (probes->accepted == PROBES_PER_ROUND_MAX || !make_room(probes, &all, PROBES_MAX)) {
        watch(probes, false);
        return false;
    }
    fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            watch(probes, false); /* of descriptors there are none */
        return false;
    }
    probes->accepted++;
    welcome(probes, fd);
    return true;
}

/*
 * A few a turn, and so many a round that nobody waits long behind those who only connect: with the
 * next round all others have theirs.
 */
static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct probes_door *door = poll->data;

    (void)events;
    if (status < 0)
        watch(door->probes, false);
    for (int i = 0; status >= 0 && i < PROBES_PER_TURN_MAX; i++) {
        if (!accept_one(door->probes, door))
            return;
    }
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
    probes->accepted = probes->scrapes = 0;
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
