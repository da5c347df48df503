/*
 * Any bytes as a configuration, and (after the first NUL) as a dialect pack
 * called "./fuzz": loading answers with a whole configuration or with faults
 * that can be shown, and keeps nothing.
 */
#include "base/buffer.h"
#include "config/load.h"
#include "config/pattern.h"
#include "fuzz.h"

#include <string.h>

static const char rpc_pack[] =
    "{\"name\":\"mcp\",\"vocabularies\":[{\"name\":\"mcp\",\"envelope\":\"json-rpc\",\"verbs\":{"
    "\"c2s\":{\"ping\":{\"always\":true},\"tools/list\":{}},\"s2c\":{\"ping\":{}}}},"
    "{\"name\":\"runs\",\"envelope\":\"opaque\"}],"
    "\"routes\":[{\"path\":\"/ws\",\"subprotocols\":[\"mcp\"]}]}";

/* They quote the text: what people see of them is one line, and acts on no terminal. */
static void check_shown(const char *text)
{
    struct buffer shown;

    buffer_init(&shown, 64 * 1024);
    buffer_append_shown(&shown, text, strlen(text));
    require(!buffer_failed(&shown));
    for (size_t i = 0; i < shown.length; i++)
        require((unsigned char)shown.data[i] >= 0x20 && shown.data[i] != 0x7f);
    buffer_clear(&shown);
}

static void check_faults(const struct json_faults *faults, const char *text, size_t length)
{
    require(faults->count > 0 && faults->count <= JSON_FAULTS_MAX);
    for (size_t i = 0; i < faults->count; i++) {
        require(faults->items[i].text[0] != '\0');
        require(faults->items[i].line <= length + 1);
        check_shown(faults->items[i].text);
        check_shown(faults->items[i].pointer);
    }
    require(text != NULL);
}

/* What the rest of the program takes for granted about a configuration that loaded. */
static void check_config(const struct config *config)
{
    require(config->state_dir[0] == '/' && config->control_socket[0] == '/');
    require(strlen(config->control_socket) <= CONFIG_SOCKET_BYTES_MAX);
    require(config->surface_count > 0 && config->workers > 0);
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];

        require(surface == config_surface(config, surface->name));
        require(surface->dialect != NULL &&
                (surface->upstream_socket != NULL) != surface_needs_launcher(surface));
        require(surface->listen_count > 0 && surface->listen[0].host != NULL);
        require(surface->route_count > 0);
        for (size_t j = 0; j < surface->route_count; j++) {
            const struct route *route = &surface->routes[j];

            require(route->path[0] == '/' && route->vocabulary != NULL && route->kind != 0);
            for (size_t k = 0; k < route->pass_count; k++)
                (void)config_pattern_matches(route->pass[k].pattern, "a value");
            for (size_t k = 0; k < route->inject_count; k++)
                require(route->inject[k].from != NULL && route->inject[k].encoding != 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_faults faults;
    char *copy = malloc(size + 1);
    const char *nul, *pack;
    struct config *config = NULL;
    struct text_list names = {0};
    enum error error;
    size_t length;

    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    nul = strchr(copy, '\0');
    length = (size_t)(nul - copy);
    pack = length < size ? nul + 1 : rpc_pack;

    const struct config_pack packs[] = {
        {"./fuzz", pack, length < size ? size - length - 1 : sizeof(rpc_pack) - 1, NULL},
    };

    error = config_load(copy, length, packs, 1, 1000, &config, &faults);
    if (error == OK) {
        require(faults.count == 0);
        check_config(config);
    } else {
        require(error == ERROR_INVALID && config == NULL);
        check_faults(&faults, copy, size + sizeof(rpc_pack));
    }
    config_destroy(config);
    if (config_list_packs(copy, length, &names) == OK)
        text_list_clear(&names);
    free(copy);
    return 0;
}
