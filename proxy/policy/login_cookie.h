/*
 * The login cookie: what a browser shows instead of a token. Its value is a
 * session's id and the HMAC-SHA256 of it under a key of its own, so that only
 * the broker can make one; whether the session behind is good is asked each time.
 *
 *   sidelock-studio=<session id>.<64 hex digits>     over TLS: __Host-sidelock-studio
 *
 * It is no token: nothing but a cookie of exactly that name is read as one.
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "policy/token.h"
#include "wire/http_head.h"

#define LOGIN_COOKIE_VALUE_SIZE (TOKEN_ID_SIZE + SHA256_HEX_SIZE) /* "id.hmac" and the NUL */
#define LOGIN_COOKIE_NAME_SIZE  (sizeof("__Host-sidelock-") + CONFIG_NAME_BYTES_MAX)

enum error login_cookie_make(const struct secret_key *key, const char *session_id,
                             char out[LOGIN_COOKIE_VALUE_SIZE]) MUST_CHECK;

/* REASON_COOKIE_INVALID unless it is, byte for byte, one that was made with this key. The session
 * is the caller's to check. */
enum reason login_cookie_verify(const struct secret_key *key, struct span value,
                                char session_id[TOKEN_ID_SIZE]);

/* The first place in a text that has the form of such a value; absent if there is none. */
struct span login_cookie_spot(struct span text);

/* The __Host- prefix (RFC 6265bis section 4.1.3.2) where the surface is served over TLS. */
void login_cookie_name(const struct surface *surface, char out[LOGIN_COOKIE_NAME_SIZE]);

/*
 * Appends the values of a surface's own cookie among those of a request (RFC 6265 section 5.4), a
 * semicolon behind each. There may be several: whoever serves another port of the host can set
 * more of the name, for other paths. HEADER_DUPLICATE if there are two Cookie headers.
 */
enum reason login_cookie_find(const struct surface *surface, const struct http_request *request,
                              struct buffer *values);

/*
 * Appends the value of Set-Cookie that gives the browser this cookie for
 * `lifetime_s` seconds; "" and 0 take it away.
 */
void login_cookie_set(const struct surface *surface, const char *value, int64_t lifetime_s,
                      struct buffer *out);
