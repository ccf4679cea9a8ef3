/* The file that `erl -ssl_dist_optfile FILE` takes: [{server, Options}, {client, Options}], with options of
 * OTP's ssl. What can be read from it is its literals; what is to be evaluated by Erlang is refused, but for
 * two funs that are known. */
#ifndef HARNESSD_CONFIG_TLS_OPTFILE_PRIVATE_H
#define HARNESSD_CONFIG_TLS_OPTFILE_PRIVATE_H

#include "base/compiler.h"
#include "transport/tls.h"

struct tls_optfile_told {
    /* `where` is as in "client.verify_fun", or "line 3", or "". */
    void (*problem)(void *owner, const char *where, const char *text);

    /* This option changes nothing here. */
    void (*ignored)(void *owner, const char *where);
    void *owner;
};

/* Takes the text of a file over into the options, which are those of a node without any before. What is wrong
 * is told, all of it. */
void tls_optfile_read(const char *text, size_t size, struct tls_options *options,
                      const struct tls_optfile_told *told);

#endif
