/* Optfiles: what is taken over is whole and given back, and what is wrong is told of. */
#include <stdlib.h>
#include <string.h>

#include "tls_optfile_private.h"

static size_t told;

static void on_problem(void *owner, const char *where, const char *text)
{
    (void)owner;
    told += strlen(where) + strlen(text);
    if (!*text)
        abort();
}

static void on_ignored(void *owner, const char *where)
{
    (void)owner;
    told += strlen(where);
}

static void look_at(const struct tls_role_options *role)
{
    if (role->certificate_count > TLS_CERTIFICATES_MOST || role->least_version > role->most_version)
        abort();
    for (size_t i = 0; i < role->certificate_count; i++)
        told += role->certificates[i].file ? strlen(role->certificates[i].file) : 0;
    told += role->ciphers ? strlen(role->ciphers) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tls_optfile_told to = {.problem = on_problem, .ignored = on_ignored};
    struct tls_options options = {.roles = {{.depth = -1}}};
    tls_optfile_read((const char *)data, size, &options, &to);
    for (size_t i = 0; i < TLS_ROLES; i++)
        look_at(&options.roles[i]);
    tls_options_clear(&options);
    return 0;
}
