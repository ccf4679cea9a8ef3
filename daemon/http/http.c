#include "http/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_repeat.h"
#include "base/memory.h"
#include "base/socket_address.h"
#include "http_token_private.h"

#define BACKLOG 64

/* How often it is looked which connections are gone, and accepting goes on that had no descriptor left. */
#define LOOK_NS CLOCK_NS_PER_S

/* What is read of a client while it is answered; evhttp itself has no limit there. */
#define READ_AHEAD_BYTES (4 * HTTP_HEADER_BYTES)

/* evhttp tells of a connection when it is accepted, and not when it is gone. So it is held here, by a
 * reference to its bufferevent, from which evhttp takes its callbacks when it lets go of it; the descriptor
 * is closed with the last reference. */
struct connection {
    struct connection *next;
    struct bufferevent *stream;
    bool dropped; /* shut down: there were too many */
};

/* Answers that are not written yet. libevent gives them back when it finalizes their connections, which may
 * be later than the end of the server. */
struct waiting {
    size_t bytes;
    size_t holders; /* the server, and each answer */
};

struct http {
    struct http_options options;
    struct evhttp *server;
    struct http_listener *listeners; /* as many as addresses */
    struct loop_timer look;
    struct connection *connections; /* the oldest is first */
    size_t connection_count;        /* without those that were dropped */
    struct waiting *waiting;
    size_t kept_count;          /* requests that are answered later */
    struct log_repeat failures; /* of TLS */
};

struct http_listener {
    struct evconnlistener *listener;
    uint16_t port;
};

struct http_request {
    struct http *http;
    struct evhttp_request *request;
    bool is_head;

    /* Of one that is kept. */
    bool is_kept;
    void (*gone)(void *owner);
    void *owner;
};

bool http_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool valid = *text >= '0' && *text <= '9' && !*end && errno == 0;
    if (valid)
        *number = value;
    return valid;
}

/* --- Connections --- */

static bool http_is_gone(const struct connection *connection)
{
    bufferevent_event_cb event_callback = NULL;
    bufferevent_getcb(connection->stream, NULL, NULL, &event_callback, NULL);
    return !event_callback;
}

/* Of a handshake, mostly, that the client has broken off or that was none: in OpenSSL's words. A connection
 * that is plain has no such error. */
static void http_tell_of_failure(struct http *http, struct bufferevent *stream)
{
    unsigned long error = bufferevent_get_openssl_error(stream);
    if (error && log_repeat_is_due(&http->failures))
        log_info("HTTP over TLS failed", log_string("reason", tls_error_text(error)),
                 log_times(&http->failures));
}

static void http_forget_gone_connections(struct http *http)
{
    for (struct connection **link = &http->connections; *link;) {
        struct connection *connection = *link;
        if (!http_is_gone(connection)) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        http->connection_count -= !connection->dropped;
        http_tell_of_failure(http, connection->stream);
        bufferevent_decref(connection->stream);
        free(connection);
    }
}

static void http_on_look(void *owner)
{
    struct http *http = owner;
    http_forget_gone_connections(http);
    for (size_t i = 0; i < http->options.address_count; i++)
        evconnlistener_enable(http->listeners[i].listener);
    loop_timer_set(&http->look, LOOK_NS);
}

/* evhttp sees that the client is gone, and frees the connection. */
static void http_drop_oldest(struct http *http)
{
    struct connection *oldest = http->connections;
    while (oldest && oldest->dropped)
        oldest = oldest->next;
    if (!oldest)
        return;
    oldest->dropped = true;
    http->connection_count--;
    shutdown(bufferevent_getfd(oldest->stream), SHUT_RDWR);
    log_warning("too many HTTP connections, the oldest is closed", log_integer("most", HTTP_CONNECTIONS));
}

/* A client that closes without saying so by TLS has closed. */
static struct bufferevent *http_new_stream(const struct http *http, struct event_base *base)
{
    if (!http->options.tls)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct bufferevent *stream = bufferevent_openssl_socket_new(
        base, -1, tls_new_stream(http->options.tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (stream)
        bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
    return stream;
}

static struct bufferevent *http_on_connection(struct event_base *base, void *argument)
{
    struct http *http = argument;
    loop_enter(http->options.loop);
    http_forget_gone_connections(http);
    while (http->connection_count >= HTTP_CONNECTIONS)
        http_drop_oldest(http);
    struct connection *connection = memory_zalloc(1, sizeof(*connection));
    connection->stream = http_new_stream(http, base);
    if (!connection->stream) {
        log_error("cannot make a stream for an HTTP connection");
        abort();
    }
    bufferevent_incref(connection->stream);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, READ_AHEAD_BYTES);
    struct connection **link = &http->connections;
    while (*link)
        link = &(*link)->next;
    *link = connection;
    http->connection_count++;
    return connection->stream;
}

/* --- Requests --- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static const char *http_reason_of(int status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

bool http_query_number(const struct http_request *request, const char *key, uint64_t *number)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->request);
    const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
    struct evkeyvalq values;
    if (!query)
        return true;
    if (evhttp_parse_query_str(query, &values) != 0)
        return false;
    const char *text = evhttp_find_header(&values, key);
    bool valid = !text || http_number(text, number);
    evhttp_clear_headers(&values);
    return valid;
}

/* Its connection is going. A request that evhttp has taken off the connection is ours to free. */
static void http_on_gone(struct evhttp_connection *connection, void *argument)
{
    (void)connection;
    struct http_request *request = argument;
    loop_enter(request->http->options.loop);
    request->http->kept_count--;
    if (!evhttp_request_get_connection(request->request))
        evhttp_request_free(request->request);
    request->gone(request->owner);
    free(request);
}

static void http_refuse(struct http_request *request)
{
    http_reply_text(request, 503, "Too many answers wait to be read.\n");
}

struct http_request *http_keep(struct http_request *request, void (*gone)(void *owner), void *owner)
{
    struct http *http = request->http;
    if (http->kept_count >= HTTP_KEPT_MOST || http->waiting->bytes >= HTTP_WAITING_BYTES) {
        http_refuse(request);
        return NULL;
    }
    http->kept_count++;
    struct http_request *kept = memory_copy(request, sizeof(*request));
    kept->is_kept = true;
    kept->gone = gone;
    kept->owner = owner;
    evhttp_connection_set_closecb(evhttp_request_get_connection(kept->request), http_on_gone, kept);
    return kept;
}

static void http_release_waiting(struct waiting *waiting)
{
    if (--waiting->holders == 0)
        free(waiting);
}

/* A body that is being written. */
struct body {
    struct waiting *waiting;
    struct blob *blob;
};

static void http_free_body(const void *data, size_t size, void *argument)
{
    (void)data;
    (void)size;
    struct body *body = argument;
    body->waiting->bytes -= body->blob->size;
    http_release_waiting(body->waiting);
    blob_release(body->blob);
    free(body);
}

static struct evbuffer *http_new_body(struct http *http, struct blob *blob)
{
    struct evbuffer *output = evbuffer_new();
    struct body *body = memory_zalloc(1, sizeof(*body));
    *body = (struct body){.waiting = http->waiting, .blob = blob_hold(blob)};
    http->waiting->holders++;
    http->waiting->bytes += blob->size;
    if (!output || evbuffer_add_reference(output, blob->data, blob->size, http_free_body, body) != 0) {
        log_error("cannot make the answer to an HTTP request");
        abort();
    }
    return output;
}

/* Of a HEAD request the answer has no body, but the length that it would have. */
static void http_send_reply(struct http_request *request, int status, const char *content_type,
                            struct blob *blob)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request->request);
    bool has_body = blob->size && !request->is_head;
    struct evbuffer *output = has_body ? http_new_body(request->http, blob) : NULL;
    char length[24];
    snprintf(length, sizeof(length), "%zu", blob->size);
    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    log_debug("HTTP request", log_string("uri", evhttp_request_get_uri(request->request)),
              log_integer("status", status), log_integer("bytes", (int64_t)blob->size));
    if (request->is_kept) {
        request->http->kept_count--;
        evhttp_connection_set_closecb(evhttp_request_get_connection(request->request), NULL, NULL);
    }
    evhttp_send_reply(request->request, status, http_reason_of(status), output);
    if (output)
        evbuffer_free(output);
    if (request->is_kept)
        free(request);
}

void http_reply_blob(struct http_request *request, int status, const char *content_type, struct blob *body)
{
    size_t waiting = request->http->waiting->bytes;
    size_t room = waiting < HTTP_WAITING_BYTES ? HTTP_WAITING_BYTES - waiting : 0;
    if (waiting && body->size > room)
        http_refuse(request);
    else
        http_send_reply(request, status, content_type, body);
}

void http_reply(struct http_request *request, int status, const char *content_type, struct buffer *body)
{
    struct blob *blob = blob_take(body, request->http->options.loop);
    http_reply_blob(request, status, content_type, blob);
    blob_release(blob);
}

void http_reply_text(struct http_request *request, int status, const char *text)
{
    struct buffer body = {0};
    buffer_append(&body, text, strlen(text));
    struct blob *blob = blob_take(&body, NULL);
    http_send_reply(request, status, HTTP_TEXT, blob);
    blob_release(blob);
}

static const struct http_page *http_find_page(const struct http *http, const char *path, const char **rest)
{
    for (size_t i = 0; i < http->options.page_count; i++) {
        const struct http_page *page = &http->options.pages[i];
        size_t size = strlen(page->path);
        bool below = size > 1 && page->path[size - 1] == '/' && strncmp(path, page->path, size) == 0;
        *rest = path + (below ? size : strlen(path));
        if (below || strcmp(path, page->path) == 0)
            return page;
    }
    return NULL;
}

/* Who does not know the token is not told what there is either. */
static bool http_may_see(const struct http *http, const struct evhttp_request *request,
                         const struct http_page *page)
{
    const char *token = http->options.token ? http->options.token(http->options.owner) : NULL;
    if (!token || (page && page->is_open))
        return true;
    const struct evkeyvalq *headers = evhttp_request_get_input_headers((struct evhttp_request *)request);
    return http_token_is_given(token, evhttp_find_header(headers, "Authorization"),
                               evhttp_find_header(headers, "Cookie"));
}

static void http_on_request(struct evhttp_request *evhttp_request, void *argument)
{
    struct http *http = argument;
    loop_enter(http->options.loop);
    enum evhttp_cmd_type command = evhttp_request_get_command(evhttp_request);
    struct http_request request = {
        .http = http, .request = evhttp_request, .is_head = command == EVHTTP_REQ_HEAD};
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(evhttp_request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    const char *rest;
    const struct http_page *page = http_find_page(http, path && *path ? path : "/", &rest);
    if (!http_may_see(http, evhttp_request, page)) {
        evhttp_add_header(evhttp_request_get_output_headers(evhttp_request), "WWW-Authenticate",
                          "Bearer realm=\"harnessd\"");
        http_reply_text(&request, 401, "Needs the token: Authorization: Bearer TOKEN.\n");
    } else if (!page) {
        http_reply_text(&request, 404, "There is no such page; / lists those that there are.\n");
    } else if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(evhttp_request), "Allow", "GET, HEAD");
        http_reply_text(&request, 405, "Pages can only be read, with GET or HEAD.\n");
    } else {
        page->serve(http->options.owner, &request, rest);
    }
}

/* --- Listening --- */

/* The argument is evhttp's own, so that the pass may count as begun a little late, and all servers of the
 * process count together. */
static void http_on_accept_error(struct evconnlistener *listener, void *argument)
{
    (void)argument;
    static struct log_repeat failures;
    int error = errno;
    if (log_repeat_is_due(&failures))
        log_error("cannot accept HTTP connections", log_string("reason", strerror(error)),
                  log_times(&failures));
    evconnlistener_disable(listener);
}

static bool http_listen_at(const struct http *http, size_t index, char *problem, size_t problem_size)
{
    struct http_listener *listener = &http->listeners[index];
    struct socket_address address;
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    if (!socket_address_read(http->options.addresses[index], &address)) {
        snprintf(problem, problem_size, "%s", SOCKET_ADDRESS_PROBLEM);
        return false;
    }
    if (address.any.sa_family == AF_INET6 && http->options.address_count > 1)
        flags |= LEV_OPT_BIND_IPV6ONLY; /* alone [::] is for IPv4 as well, beside others 0.0.0.0 may be one */
    listener->listener = evconnlistener_new_bind(http->options.loop->base, NULL, NULL, flags, BACKLOG,
                                                 &address.any, (int)address.size);
    if (!listener->listener) {
        snprintf(problem, problem_size, "%s", strerror(errno));
        return false;
    }
    evconnlistener_set_error_cb(listener->listener, http_on_accept_error);
    if (getsockname(evconnlistener_get_fd(listener->listener), &address.any, &address.size) == 0)
        listener->port = socket_address_port(&address);
    return true;
}

static bool http_listen(struct http *http, size_t *failed, char *problem, size_t problem_size)
{
    http->listeners = memory_zalloc(http->options.address_count, sizeof(*http->listeners));
    for (size_t i = 0; i < http->options.address_count; i++) {
        if (http_listen_at(http, i, problem, problem_size))
            continue;
        *failed = i;
        while (i)
            evconnlistener_free(http->listeners[--i].listener);
        free(http->listeners);
        return false;
    }
    return true;
}

static void http_start_server(struct http *http)
{
    http->server = evhttp_new(http->options.loop->base);
    bool is_made = http->server;
    for (size_t i = 0; is_made && i < http->options.address_count; i++)
        is_made = evhttp_bind_listener(http->server, http->listeners[i].listener);
    if (!is_made) {
        log_error("cannot make an HTTP server");
        abort();
    }
    evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                                 EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(http->server, HTTP_HEADER_BYTES);
    evhttp_set_max_body_size(http->server, HTTP_BODY_BYTES);
    evhttp_set_timeout(http->server, HTTP_TIMEOUT_S);
    evhttp_set_bevcb(http->server, http_on_connection, http);
    evhttp_set_gencb(http->server, http_on_request, http);
}

struct http *http_new(const struct http_options *options, size_t *failed, char *problem, size_t problem_size)
{
    struct http *http = memory_zalloc(1, sizeof(*http));
    http->options = *options;
    if (!http_listen(http, failed, problem, problem_size)) {
        free(http);
        return NULL;
    }
    http->waiting = memory_zalloc(1, sizeof(*http->waiting));
    http->waiting->holders = 1;
    http_start_server(http);
    loop_timer_init(&http->look, options->loop, http_on_look, http);
    loop_timer_set(&http->look, LOOK_NS);
    return http;
}

void http_free(struct http *http)
{
    evhttp_free(http->server); /* with its listeners and connections */
    free(http->listeners);
    http_forget_gone_connections(http);
    loop_timer_free(&http->look);
    http_release_waiting(http->waiting);
    free(http);
}

void http_set_tls(struct http *http, struct tls *tls)
{
    http->options.tls = tls;
}

uint16_t http_port(const struct http *http, size_t address)
{
    return http->listeners[address].port;
}
