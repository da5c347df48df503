/*
 * What a string in the configuration may be: each is a json_check (json/reader.h).
 */
#pragma once

/* Free text for people: no control characters. */
const char *config_check_sentence(const char *text);
/* An absolute path in canonical form: nothing a symbolic link or ".." could bend on sight. */
const char *config_check_path(const char *text);
/* The same, short enough for sun_path (unix(7)). */
const char *config_check_socket(const char *text);
const char *config_check_surface_name(const char *text);
const char *config_check_sha256(const char *text);
/* A JSON pointer (RFC 6901); "" is the whole document. */
const char *config_check_pointer(const char *text);
/* A Host header's value (RFC 9110 section 7.2) in lower case: a name or address, and maybe a port.
 */
const char *config_check_host(const char *text);
/* A serialised origin (RFC 6454 section 6.2) as browsers send it. */
const char *config_check_origin(const char *text);
/* A request header that a route may forward: not one the gate itself answers for. */
const char *config_check_header(const char *text);
/* A request method (RFC 9110 section 9.1) in upper case; never CONNECT or TRACE. */
const char *config_check_method(const char *text);
/* A subprotocol (RFC 6455 section 4.1): a token, short enough for the WebSocket library. */
const char *config_check_subprotocol(const char *text);
const char *config_check_query_name(const char *text);
/* A route's path: canonical, with {name} for one segment, {name...} at the end for the rest. */
const char *config_check_route_path(const char *text);
/* A path without {name} segments, and one with {answer} as its only one. */
const char *config_check_request_path(const char *text);
const char *config_check_answer_path(const char *text);
