/*
 * Reads a configuration. No I/O: the caller brings the bytes of the file and of
 * every dialect pack it names by path.
 */
#pragma once

#include "config/config.h"
#include "json/table.h"

#define CONFIG_BYTES_MAX ((size_t)1024 * 1024)

/*
 * Which packs a configuration names by path, so that the caller can fetch them.
 * ERROR_SYNTAX if the text is not JSON (config_load then says where).
 */
enum error config_list_packs(const char *text, size_t length, struct text_list *out) MUST_CHECK;

/* What a configuration is made of. */
struct config_source {
    const char *text;
    size_t length;
    const struct config_pack *packs; /* those of config_list_packs() */
    size_t pack_count;
    uint32_t self_uid;        /* resolves "self" */
    char *const *environment; /* for variables in paths (variable.h); NULL: none is set */
};

/*
 * Loads and checks a whole configuration. ERROR_INVALID with
 * every fault found in *faults, in order of their lines (those of a pack have the
 * pack's name before their pointer, and its line); only a faultless one is returned.
 */
enum error config_load_from(const struct config_source *source, struct config **out,
                            struct json_faults *faults) MUST_CHECK;
/* The same where no variable is set. */
enum error config_load(const char *text, size_t length, const struct config_pack *packs,
                       size_t pack_count, uint32_t self_uid, struct config **out,
                       struct json_faults *faults) MUST_CHECK;
void config_destroy(struct config *config);

/*
 * Moves a surface out of the configuration, which has an empty one in its place from then on:
 * of configurations that follow one another, each surface lives as long as somebody has to do
 * with it. For config_free_surface(). NULL without memory.
 */
struct surface *config_take_surface(struct config *config, size_t index);
void config_free_surface(struct surface *surface);

/* The table of the whole configuration: for the test that compares it with the JSON schema. */
extern const struct json_table config_table;
