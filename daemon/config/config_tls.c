#include "config_tls_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cookie_private.h"
#include "tls_optfile_private.h"

/* Far more than any such file has. */
#define OPTFILE_BYTES_MOST (1 << 20)

#define OPTFILE_KEY "node.tls.optfile"
#define CERTIFICATE_KEY "node.tls.certificate"
#define HTTP_CERTIFICATE_KEY "http.tls.certificate"

static bool tls_is_given(const struct config_reading *reading, const char *path)
{
    size_t count;
    return reading->given[config_key_find(path) - config_keys(&count)];
}

/* --- By the file that erl has --- */

static void tls_on_problem(void *owner, const char *where, const char *text)
{
    struct config_reading *reading = owner;
    config_problem(reading, OPTFILE_KEY, "%s: %s%s%s", reading->config->tls_optfile, where,
                   *where ? ": " : "", text);
}

/* It is told of when the log is as the configuration has it. */
static void tls_on_ignored(void *owner, const char *where)
{
    struct config_list *ignored = &((struct config_reading *)owner)->config->tls_ignored;
    ignored->items = memory_resize(ignored->items, ignored->count + 1, sizeof(char *));
    ignored->items[ignored->count++] = memory_string(where);
}

/* NULL is a problem that was told of. A pipe or a device would keep everybody waiting. */
static FILE *tls_open_optfile(struct config_reading *reading, const char *file, size_t *size)
{
    struct stat status;
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *stream = NULL;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        config_problem(reading, OPTFILE_KEY, "cannot open %s: %s", file, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        config_problem(reading, OPTFILE_KEY, "%s is not a regular file", file);
    else if (status.st_size > OPTFILE_BYTES_MOST)
        config_problem(reading, OPTFILE_KEY, "%s is larger than %d KiB", file, OPTFILE_BYTES_MOST >> 10);
    else if (!(stream = fdopen(descriptor, "r")))
        config_problem(reading, OPTFILE_KEY, "cannot open %s: %s", file, strerror(errno));
    if (descriptor >= 0 && !stream)
        close(descriptor);
    *size = stream ? (size_t)status.st_size : 0;
    return stream;
}

static char *tls_read_optfile(struct config_reading *reading, const char *file, size_t *size)
{
    FILE *stream = tls_open_optfile(reading, file, size);
    if (!stream)
        return NULL;
    char *text = memory_alloc(*size);
    *size = fread(text, 1, *size, stream);
    fclose(stream);
    return text;
}

/* Keys that the file has in its own words. */
static void tls_refuse_both(struct config_reading *reading)
{
    static const char *const keys[] = {CERTIFICATE_KEY,
                                       "node.tls.key",
                                       "node.tls.password_file",
                                       "node.tls.ca",
                                       "node.tls.verify",
                                       "node.tls.verify_name",
                                       "node.tls.verify_client_name",
                                       "node.tls.require_peer_certificate",
                                       "node.tls.min_version",
                                       "node.tls.ciphers"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (tls_is_given(reading, keys[i]))
            config_problem(reading, keys[i], "cannot be given together with " OPTFILE_KEY);
}

static void tls_take_optfile(struct config_reading *reading, struct tls_options *options)
{
    const struct tls_optfile_told told = {
        .problem = tls_on_problem, .ignored = tls_on_ignored, .owner = reading};
    size_t size = 0;
    tls_refuse_both(reading);
    char *text = tls_read_optfile(reading, reading->config->tls_optfile, &size);
    if (text)
        tls_optfile_read(text, size, options, &told);
    if (text)
        explicit_bzero(text, size);
    free(text);
}

/* --- By the keys --- */

static char *tls_copy(const char *text)
{
    return text ? memory_string(text) : NULL;
}

/* `section` is where its keys are. */
static char *tls_take_password(struct config_reading *reading, const char *section,
                               const struct config_certificate *own)
{
    char *problem = NULL, *copy = NULL;
    if (!own->password_file)
        return NULL;
    char *password = cookie_load(own->password_file, &problem);
    char *where = memory_format("%s.password_file", section);
    if (problem)
        config_problem(reading, where, "%s", problem);
    copy = tls_copy(password);
    cookie_free(password);
    free(problem);
    free(where);
    return copy;
}

/* OpenSSL has a list for TLS 1.3 and one for what was before it. */
static void tls_take_ciphers(const char *ciphers, struct tls_role_options *role)
{
    char *all = tls_copy(ciphers), *rest = all;
    for (const char *name; (name = strsep(&rest, ":"));) {
        char **list = strncmp(name, "TLS_", 4) == 0 ? &role->suites : &role->ciphers;
        char *longer = *list ? memory_format("%s:%s", *list, name) : memory_string(name);
        free(*list);
        *list = longer;
    }
    free(all);
}

static void tls_take_own(struct tls_role_options *role, const struct config_certificate *own,
                         const char *password)
{
    role->certificate_count = own->certificate != NULL;
    role->certificates[0] = (struct tls_certificate){
        .file = tls_copy(own->certificate), .key = tls_copy(own->key), .password = tls_copy(password)};
}

static void tls_forget_password(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

static int tls_least_version(uint8_t choice)
{
    return choice ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
}

static void tls_take_keys(struct config_reading *reading, struct tls_options *options)
{
    const struct config *config = reading->config;
    char *password = tls_take_password(reading, "node.tls", &config->tls_own);
    if (!config->tls_own.certificate)
        config_problem(reading, CERTIFICATE_KEY, "required for TLS (or " OPTFILE_KEY ", --ssl-dist-optfile)");
    if (config->tls_verify && !config->tls_ca)
        config_problem(reading, "node.tls.ca", "required while node.tls.verify is true");
    if (config->tls_verify_client_name && !(config->tls_verify && config->tls_require_peer_certificate))
        config_problem(reading, "node.tls.verify_client_name",
                       "needs node.tls.verify and node.tls.require_peer_certificate");
    for (size_t i = 0; i < TLS_ROLES; i++) {
        struct tls_role_options *role = &options->roles[i];
        *role = tls_role_options_default();
        tls_take_own(role, &config->tls_own, password);
        role->ca = tls_copy(config->tls_ca);
        role->verifies = config->tls_verify;
        role->verifies_name = i == TLS_CLIENT ? config->tls_verify_name : config->tls_verify_client_name;
        role->requires_certificate = config->tls_require_peer_certificate;
        role->least_version = tls_least_version(config->tls_min_version);
        tls_take_ciphers(config->tls_ciphers, role);
    }
    tls_forget_password(password);
}

/* --- Both --- */

/* The files are read as they will be, so that who starts with this configuration has them. */
static void tls_try(struct config_reading *reading, const struct tls_options *options, const char *key)
{
    const char *at = reading->config->node_name ? strchr(reading->config->node_name, '@') : NULL;
    char *problem = NULL;
    struct tls *tls = tls_new(options, at ? at + 1 : "localhost", &problem);
    if (!tls)
        config_problem(reading, key, "%s", problem);
    tls_free(tls);
    free(problem);
}

static bool tls_is_on(const struct config_reading *reading)
{
    const struct config *config = reading->config;
    bool says = tls_is_given(reading, "node.proto_dist");
    bool is_tls = config->proto_dist == CONFIG_INET_TLS || config->proto_dist == CONFIG_INET6_TLS;
    return says ? is_tls : config->tls_optfile || config->tls_own.certificate;
}

void config_tls_find(struct config_reading *reading, bool only_dials)
{
    struct config *config = reading->config;
    const size_t problems_before = reading->problem_count;
    if (!tls_is_on(reading))
        return;
    config->tls = memory_zalloc(1, sizeof(*config->tls));
    if (config->tls_optfile)
        tls_take_optfile(reading, config->tls);
    else
        tls_take_keys(reading, config->tls);
    if (!config->tls_accept.count)
        config_problem(reading, "node.tls.accept", "is empty");
    if (reading->problem_count == problems_before && !only_dials &&
        !config->tls->roles[TLS_SERVER].certificate_count)
        config_problem(reading, OPTFILE_KEY, "%s: server: has no certfile, which who dials this node wants",
                       config->tls_optfile);
    if (reading->problem_count == problems_before)
        tls_try(reading, config->tls, config->tls_optfile ? OPTFILE_KEY : CERTIFICATE_KEY);
}

/* --- Of HTTP --- */

static void tls_refuse_without_certificate(struct config_reading *reading)
{
    static const char *const keys[] = {"http.tls.key", "http.tls.password_file", "http.tls.ca",
                                       "http.tls.ciphers"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (tls_is_given(reading, keys[i]))
            config_problem(reading, keys[i], "needs " HTTP_CERTIFICATE_KEY);
}

void config_tls_find_http(struct config_reading *reading)
{
    struct config *config = reading->config;
    const size_t problems_before = reading->problem_count;
    if (!config->http_tls_own.certificate) {
        tls_refuse_without_certificate(reading);
        return;
    }
    char *password = tls_take_password(reading, "http.tls", &config->http_tls_own);
    config->http_tls = memory_zalloc(1, sizeof(*config->http_tls));
    struct tls_role_options *role = &config->http_tls->roles[TLS_SERVER];
    *role = tls_role_options_default();
    tls_take_own(role, &config->http_tls_own, password);
    role->ca = tls_copy(config->http_tls_ca);
    role->verifies = role->requires_certificate = config->http_tls_ca;
    role->least_version = tls_least_version(config->http_tls_min_version);
    tls_take_ciphers(config->http_tls_ciphers, role);
    config->http_tls->roles[TLS_CLIENT] = tls_role_options_default();
    config->http_tls->roles[TLS_CLIENT].verifies = false; /* it never dials */
    tls_forget_password(password);
    if (reading->problem_count == problems_before)
        tls_try(reading, config->http_tls, HTTP_CERTIFICATE_KEY);
}

static void tls_clear(struct tls_options **options)
{
    if (*options)
        tls_options_clear(*options);
    free(*options);
    *options = NULL;
}

void config_tls_clear(struct config *config)
{
    tls_clear(&config->tls);
    tls_clear(&config->http_tls);
    config_list_clear(&config->tls_ignored);
}
