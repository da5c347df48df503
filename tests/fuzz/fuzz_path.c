/*
 * Any bytes as a raw path: refused, or decoded to a form with one reading. That
 * form encodes to a canonical path which decodes to the same form again, and
 * matches itself.
 */
#include "fuzz.h"
#include "policy/admission.h"
#include "wire/url.h"

#include <string.h>

/* What makes a path ambiguous, looked for in another way than url.c does. */
static void check_segments(const char *path)
{
    char padded[REQUEST_PATH_BYTES_MAX + 2];
    size_t length = strlen(path);

    require(path[0] == '/');
    memcpy(padded, path, length);
    memcpy(padded + length, "/", 2);
    require(strstr(path, "//") == NULL);
    require(strstr(padded, "/./") == NULL && strstr(padded, "/../") == NULL);
    require(strpbrk(path, "\\?#%;&\x7f") == NULL);
    for (const char *at = path; *at != '\0'; at++)
        require((unsigned char)*at >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span raw = {(const char *)data, size};
    char path[REQUEST_PATH_BYTES_MAX], again[REQUEST_PATH_BYTES_MAX];
    struct buffer encoded, twice;
    enum error error = url_path_decode(raw, path, sizeof(path));

    require(error == OK || error == ERROR_INVALID || error == ERROR_LIMIT);
    if (error != OK)
        return 0;
    require(strlen(path) <= size);
    check_segments(path);
    buffer_init(&encoded, 3 * sizeof(path));
    buffer_init(&twice, 3 * sizeof(path));
    url_encode(span_of(path), true, &encoded);
    require(strspn(encoded.data, "%/-._~0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == encoded.length);
    require(url_path_decode((struct span){encoded.data, encoded.length}, again, sizeof(again)) ==
            OK);
    require(strcmp(path, again) == 0);
    url_encode(span_of(again), true, &twice);
    require(strcmp(encoded.data, twice.data) == 0);
    if (strchr(path, '{') == NULL)
        require(admission_path_matches(path, path));
    require(!admission_path_matches("/{a}/{b}", path) || strchr(path + 1, '/') != NULL);
    buffer_clear(&encoded);
    buffer_clear(&twice);
    return 0;
}
