/* The worker's TLS: which certificate a surface has, and what a connection is told of its own. */
#include "base/log.h"
#include "worker/client/connection.h"

#include <stdio.h>
#include <stdlib.h>

enum error secure_allocate(struct worker *worker)
{
    bool any = false;

    for (size_t i = 0; i < worker->config->surface_count; i++)
        any = any || worker->config->surfaces[i].tls != NULL;
    if (!any)
        return OK;
    worker->contexts = calloc(worker->config->surface_count, sizeof(struct tls_context *));
    worker->tls_scratch = malloc(TLS_CHUNK_BYTES);
    if (worker->contexts == NULL || worker->tls_scratch == NULL)
        return ERROR_MEMORY;
    return tls_context_prepare();
}

void secure_release(struct worker *worker)
{
    for (size_t i = 0; worker->contexts != NULL && i < worker->config->surface_count; i++)
        tls_context_destroy(worker->contexts[i]);
    free(worker->contexts);
    free(worker->tls_scratch);
}

bool secure_complete(const struct worker *worker)
{
    for (size_t i = 0; i < worker->config->surface_count; i++) {
        if (worker->config->surfaces[i].tls != NULL && worker->contexts[i] == NULL)
            return false;
    }
    return true;
}

enum error secure_install(struct worker *worker, const struct ipc_tls *tls)
{
    const struct surface *surface;
    struct tls_context *context;
    enum error error;

    if (tls->surface >= worker->config->surface_count)
        return ERROR_SYNTAX;
    surface = &worker->config->surfaces[tls->surface];
    if (surface->tls == NULL || (surface->tls->client_ca != NULL) != (tls->client_ca != NULL))
        return ERROR_SYNTAX;
    error = tls_context_create(
        &(struct tls_context_options){.certificate = tls->certificate,
                                      .key = tls->key,
                                      .client_ca = tls->client_ca,
                                      .client_required = surface->caller_certificates.count > 0},
        &context);
    if (error != OK) {
        log_error("surface %s: the certificate cannot be used: %s", surface->name,
                  error_text(error));
        return error;
    }
    tls_context_destroy(worker->contexts[tls->surface]);
    worker->contexts[tls->surface] = context;
    return OK;
}

static void on_ready(void *owner, const char *certificate)
{
    struct connection *connection = owner;

    connection->secured = true;
    snprintf(connection->certificate, sizeof(connection->certificate), "%s",
             certificate != NULL ? certificate : "");
}

/* Handshakes that fail for other reasons are no requests: nobody asked for anything. */
static void on_failed(void *owner, enum tls_failure failure)
{
    struct connection *connection = owner;

    if (failure == TLS_FAILED || connection->handshake == NULL)
        return;
    report_denied(connection,
                  failure == TLS_CERTIFICATE ? REASON_CERTIFICATE_REFUSED : REASON_MALFORMED, NULL);
}

static void on_end(void *owner)
{
    struct connection *connection = owner;

    connection->tls = NULL;
    connection_release(connection);
}

enum error secure_start(struct connection *connection, int fd, int *plain_fd)
{
    struct worker *worker = connection->worker;
    const struct tls_options options = {.loop = &worker->loop,
                                        .context = worker->contexts[connection->surface_index],
                                        .fd = fd,
                                        .scratch = worker->tls_scratch,
                                        .owner = connection,
                                        .on_ready = on_ready,
                                        .on_failed = on_failed,
                                        .on_end = on_end};

    return tls_start(&options, &connection->tls, plain_fd);
}

bool secure_finish(struct connection *connection)
{
    if (connection->tls == NULL)
        return true;
    if (connection->finishing)
        return false;
    connection->finishing = true;
    connection->state = CONNECTION_LINGERING;
    /* The client may still have to take what was written last. */
    connection->deadline_ms =
        worker_now_ms(connection->worker) +
        (connection->secured ? connection->surface->limits.write_timeout_ms : LINGER_TIMEOUT_MS);
    tls_finish(connection->tls);
    return false;
}

bool secure_waits(struct connection *connection)
{
    if (!connection->finishing || connection->tls == NULL)
        return false;
    if (connection->secured && tls_moved(connection->tls)) {
        connection->deadline_ms =
            worker_now_ms(connection->worker) + connection->surface->limits.write_timeout_ms;
        return true;
    }
    tls_abort(connection->tls);
    return false;
}
