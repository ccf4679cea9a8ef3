/* A small HTTP server, by libevent's evhttp, to look at the daemon from outside: pages for GET and HEAD,
 * nothing that changes anything. Requests are small, connections few and never idle for long; of too many the
 * oldest are closed, as a working client is done in no time. */
#ifndef HARNESSD_HTTP_HTTP_H
#define HARNESSD_HTTP_HTTP_H

#include "base/blob.h"
#include "base/buffer.h"
#include "base/loop.h"
#include "term/help.h"
#include "transport/tls.h"

#define HTTP_CONNECTIONS 64
#define HTTP_HEADER_BYTES 8192
#define HTTP_BODY_BYTES 1024 /* of requests */
#define HTTP_TIMEOUT_S 30    /* without a byte read or written */

/* Of all answers that wait to be read, and requests that are kept; beyond them one is answered with 503. An
 * answer may be longer when no other waits. */
#define HTTP_WAITING_BYTES (256 << 20)
#define HTTP_KEPT_MOST 8

#define HTTP_TEXT "text/plain; charset=utf-8"
#define HTTP_JSON "application/json"

struct http;
struct http_request;

struct http_page {
    const char *path; /* one that ends in a slash is for all below it */

    /* Answers the request, now or when it was kept; `rest` is what follows the path. */
    void (*serve)(void *owner, struct http_request *request, const char *rest);

    bool is_open; /* to who has no token */

    struct help help; /* its name is the path with what it takes */
};

struct http_options {
    struct loop *loop;
    const char *const *addresses; /* see base/socket_address.h */
    size_t address_count;         /* 1 at least */
    const struct http_page *pages;
    size_t page_count;
    void *owner;     /* of the pages */
    struct tls *tls; /* what connections speak; NULL: it is plain */

    /* What who asks has to know now, or NULL. */
    const char *(*token)(void *owner);
};

/* Listens at all of the addresses from now on. NULL when that fails; `*failed` is then the first that it
 * could not have, and `problem` says why. `options` is copied. */
MUST_CHECK struct http *http_new(const struct http_options *options, size_t *failed, char *problem,
                                 size_t problem_size);
void http_free(struct http *http);

/* What connections speak that are made from now on, likewise. */
void http_set_tls(struct http *http, struct tls *tls);

/* Of one of the addresses. */
uint16_t http_port(const struct http *http, size_t address);

/* A number as paths and queries have it: digits only. */
MUST_CHECK bool http_number(const char *text, uint64_t *number);

/* What the query has for a key: sets the number, or leaves it as it is when there is none. False when there
 * is something else. */
MUST_CHECK bool http_query_number(const struct http_request *request, const char *key, uint64_t *number);

/* Keeps the request, to be answered later. What is returned takes its place until it is answered, or until
 * `gone` is called, because the client or the server is. NULL when there is no room: it was answered. */
MUST_CHECK struct http_request *http_keep(struct http_request *request, void (*gone)(void *owner),
                                          void *owner);

/* The answer, to be given once, which is written as the client reads: of bytes that others hold as well, that
 * become the server's, or of a text. */
void http_reply_blob(struct http_request *request, int status, const char *content_type, struct blob *body);
void http_reply(struct http_request *request, int status, const char *content_type, struct buffer *body);
void http_reply_text(struct http_request *request, int status, const char *text);

#endif
