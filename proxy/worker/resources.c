#include "worker/resources.h"

#include "system/sandbox.h"
#include "worker/http/pool.h"

#include <malloc.h>
#include <sys/resource.h>

#define SPARE_DESCRIPTORS          80 /* of them PROBES_MAX are for the telemetry page */
#define DESCRIPTORS_PER_CONNECTION 2
#define LOBBY_PLACES               128 /* that nobody who was granted something takes */
#define HEAP_BLOCK_BYTES_MAX       (8 * 1024 * 1024)  /* larger ones are mapped alone */
#define HEAP_KEPT_BYTES_MAX        (16 * 1024 * 1024) /* free memory at the heap's end */

/* Beside what is held: what a connection costs with its head and its TLS, and the heap's holes. */
#define MEMORY_FENCE_BYTES    ((size_t)256 * 1024 * 1024)
#define MEMORY_PER_CONNECTION ((size_t)192 * 1024)

/*
 * Large messages come one after another: what one gave back the next takes,
 * and not new pages of the kernel's each time.
 */
static void keep_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_BYTES_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES_MAX);
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

enum error resources_size(size_t connections, struct resources *out)
{
    struct rlimit limit;

    *out = (struct resources){0};
    keep_heap();
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    out->links_waiting_max = least(limit.rlim_max / 8, POOL_WAITING_MAX);
    out->spare = SPARE_DESCRIPTORS + out->links_waiting_max;
    out->descriptors_max = least(
        out->spare + DESCRIPTORS_PER_CONNECTION * (connections + LOBBY_PLACES), limit.rlim_max);
    limit.rlim_cur = out->descriptors_max;
    if (out->descriptors_max <= out->spare || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    return OK;
}

size_t resources_connections(const struct resources *resources, size_t wanted)
{
    return least(wanted + LOBBY_PLACES,
                 (resources->descriptors_max - resources->spare) / DESCRIPTORS_PER_CONNECTION);
}

size_t resources_granted(size_t connections)
{
    return connections - least(connections / 4, LOBBY_PLACES);
}

enum error resources_fence_memory(const struct resources *resources, size_t held_max)
{
    size_t connections = resources_connections(resources, resources->descriptors_max);

    return sandbox_limit_memory(MEMORY_FENCE_BYTES + 2 * held_max +
                                MEMORY_PER_CONNECTION * connections);
}
