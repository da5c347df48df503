#include "worker/client/secure.h"

#include "base/log.h"
#include "worker/client/client.h"
#include "worker/tls/tls.h"

#include <stdlib.h>
#include <string.h>

enum error secure_allocate(struct secure *secure, const struct config *config)
{
    bool any = false;

    for (size_t i = 0; i < config->surface_count; i++)
        any = any || config->surfaces[i].tls != NULL;
    if (!any)
        return OK;
    secure->contexts = calloc(config->surface_count, sizeof(struct tls_context *));
    secure->scratch = malloc(TLS_CHUNK_BYTES);
    if (secure->contexts == NULL || secure->scratch == NULL)
        return ERROR_MEMORY;
    return tls_context_prepare();
}

void secure_release(struct secure *secure, const struct config *config)
{
    for (size_t i = 0; secure->contexts != NULL && i < config->surface_count; i++)
        tls_context_destroy(secure->contexts[i]);
    free(secure->contexts);
    free(secure->scratch);
}

bool secure_complete(const struct secure *secure, const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (config->surfaces[i].tls != NULL && secure->contexts[i] == NULL)
            return false;
    }
    return true;
}

enum error secure_install(struct secure *secure, const struct config *config,
                          const struct ipc_tls *tls)
{
    const struct surface *surface;
    struct tls_context *context;
    enum error error;

    if (tls->surface >= config->surface_count)
        return ERROR_SYNTAX;
    surface = &config->surfaces[tls->surface];
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
    tls_context_destroy(secure->contexts[tls->surface]);
    secure->contexts[tls->surface] = context;
    return OK;
}

static void on_ready(void *owner, const char *certificate)
{
    struct connection *connection = owner;

    connection->secured = true;
    if (certificate != NULL)
        connection->certificate = strdup(certificate);
    if (certificate != NULL && connection->certificate == NULL)
        connection_drop(connection, REASON_CAPACITY);
}

/* Handshakes that fail for other reasons are no requests: nobody asked for anything. */
static void on_failed(void *owner, enum tls_failure failure)
{
    struct connection *connection = owner;

    if (failure == TLS_FAILED || connection->client == NULL)
        return;
    client_tell_denied(connection,
                       failure == TLS_CERTIFICATE ? REASON_CERTIFICATE_REFUSED : REASON_MALFORMED);
}

static void on_end(void *owner)
{
    connection_tls_ended(owner);
}

enum error secure_start(const struct secure *secure, struct connection *connection, int fd,
                        int *plain_fd)
{
    const struct tls_options options = {.loop = &connection->worker->loop,
                                        .context = secure->contexts[connection->surface_index],
                                        .fd = fd,
                                        .scratch = secure->scratch,
                                        .owner = connection,
                                        .on_ready = on_ready,
                                        .on_failed = on_failed,
                                        .on_end = on_end};

    return tls_start(&options, &connection->tls, plain_fd);
}
