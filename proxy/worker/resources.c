#include "worker/resources.h"

#include "system/sandbox.h"
#include "worker/http/pool.h"

#include <malloc.h>
#include <sys/resource.h>

#define SPARE_DESCRIPTORS          64
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

enum error resources_size(const struct config *config, struct resources *out)
{
    size_t wanted = LOBBY_PLACES, spare;
    struct rlimit limit;

    *out = (struct resources){0};
    keep_heap();
    for (size_t i = 0; i < config->surface_count; i++)
        wanted += config->surfaces[i].limits.max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    out->links_waiting_max = least(limit.rlim_max / 8, POOL_WAITING_MAX);
    spare = SPARE_DESCRIPTORS + out->links_waiting_max;
    out->descriptors_max = least(spare + DESCRIPTORS_PER_CONNECTION * wanted, limit.rlim_max);
    limit.rlim_cur = out->descriptors_max;
    if (out->descriptors_max <= spare || setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return ERROR_IO;
    out->connections_max = (out->descriptors_max - spare) / DESCRIPTORS_PER_CONNECTION;
    out->granted_max = out->connections_max - least(out->connections_max / 4, LOBBY_PLACES);
    return OK;
}

enum error resources_fence_memory(const struct resources *resources, size_t held_max)
{
    return sandbox_limit_memory(MEMORY_FENCE_BYTES + 2 * held_max +
                                MEMORY_PER_CONNECTION * resources->connections_max);
}
