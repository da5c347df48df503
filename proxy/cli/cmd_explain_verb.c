/*
 * `sidelock explain --verb`: what the surface's dialect and lists say of a verb, by the functions
 * that vet messages. Called by cmd_explain.c.
 */
#include "cli/cmd_explain_verb.h"

#include "cli/terminal/args.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown.h"
#include "policy/admission.h"
#include "vet/verb.h"
#include "vet/vet.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define SOURCE_BYTES_MAX 512

/* "skills, events": the extensions that the dialect knows and the surface has. */
static void list_extensions(const struct vocabulary *vocabulary, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < vocabulary->extensions.count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i > 0 ? ", " : " (",
                                   vocabulary->extensions.items[i]);
    if (length > 0 && length < size)
        snprintf(out + length, size - length, ")");
}

/* Where the dialect has the verb from, for people. */
static void tell_source(const struct vocabulary *vocabulary, const struct verb_rule *rule,
                        char *out, size_t size)
{
    char known[SOURCE_BYTES_MAX / 2];

    list_extensions(vocabulary, known, sizeof(known));
    if (rule == NULL)
        snprintf(out, size,
                 "neither %s nor an extension that it or the surface has%s knows the verb: "
                 "\"extensions\" can say where its target lies",
                 vocabulary->name, known);
    else if (rule->extension != NULL)
        snprintf(out, size, "of the extension %s%s", rule->extension,
                 rule->off ? ", which \"extensions\" of the surface would have to name" : "");
    else
        snprintf(out, size, "of %s", vocabulary->name);
}

/* "params.uri": each way that leads to a target. */
static json_t *list_targets(const struct verb_rule *rule)
{
    json_t *list = json_array();

    for (size_t i = 0; rule != NULL && i < rule->target_count; i++) {
        const struct target_path *path = &rule->targets[i];
        char text[DIALECT_PATH_DEPTH_MAX * (DIALECT_NAME_BYTES_MAX + 3) + 1];
        size_t length = 0;

        for (unsigned j = 0; j < path->depth; j++)
            length +=
                (size_t)snprintf(text + length, sizeof(text) - length, "%s%s%s", j > 0 ? "." : "",
                                 path->keys[j], path->list == j + 1 ? "[]" : "");
        json_array_append_new(list, output_string(text));
    }
    return list;
}

static enum reason judge(const struct vet_rules *rules, enum direction direction,
                         const struct verb_rule *rule, const char *verb)
{
    if (rule == NULL && !rules->vocabulary->open[direction])
        return REASON_VERB_UNKNOWN;
    return verb_check(rules, direction, rule, span_of(verb));
}

static bool is_read(const struct route *route)
{
    return route != NULL && (route->kind == ROUTE_WEBSOCKET || route->kind == ROUTE_MCP_HTTP) &&
           route->vocabulary != NULL && route->vocabulary->envelope != ENVELOPE_OPAQUE;
}

/* The one whose messages are looked into, of a path's two. */
static const struct route *find_route(const struct surface *surface, const char *path)
{
    const struct route *route = NULL;

    if (reason_allows(admission_route(surface, path, true, &route)) && is_read(route))
        return route;
    if (reason_allows(admission_route(surface, path, false, &route)) && is_read(route))
        return route;
    return NULL;
}

static void print_text(const char *verb, const char *source, json_t *targets,
                       const struct verb_rule *rule, enum reason reason)
{
    const char *between = rule != NULL && rule->each ? " and " : " or ";
    const struct reason_info *info = reason_info(reason);
    json_t *target;
    size_t i;

    shown_text(stdout, verb);
    printf(": %s.\n", source);
    json_array_foreach(targets, i, target)
    {
        fputs(i == 0 ? "Its target must be permitted: " : between, stdout);
        shown_text(stdout, json_string_value(target));
    }
    fputs(i > 0 ? ".\n" : "", stdout);
    printf("%s: %s: %s.\n", reason_allows(reason) ? "Allowed" : "Denied", info->code, info->text);
}

int explain_verb(const struct surface *surface, const char *path, const char *verb,
                 enum direction direction, bool json)
{
    const struct route *route = find_route(surface, path);
    const struct verb_rule *rule;
    struct vet_rules rules;
    enum reason reason;
    json_t *targets;
    char source[SOURCE_BYTES_MAX];
    int code = EX_OK;

    if (route == NULL)
        return args_fail(EX_DATAERR, "surface %s looks into no messages at %s", surface->name,
                         path);
    rules = vet_rules_of(surface, route->vocabulary);
    rule = vocabulary_verb(route->vocabulary, direction, span_of(verb));
    reason = judge(&rules, direction, rule, verb);
    tell_source(route->vocabulary, rule, source, sizeof(source));
    targets = list_targets(rule);
    if (json) {
        json_t *root = json_pack("{s:s, s:s, s:s, s:o, s:O}", "verdict",
                                 reason_allows(reason) ? "allow" : "deny", "reason",
                                 reason_info(reason)->code, "detail", reason_info(reason)->text,
                                 "rule", output_string(source), "targets", targets);

        code = output_json_indented(root);
        json_decref(root);
    } else {
        print_text(verb, source, targets, rule, reason);
    }
    json_decref(targets);
    return code == EX_OK && !reason_allows(reason) ? EXIT_FAILURE : code;
}
