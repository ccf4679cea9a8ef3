/* The configuration file: one JSON object. A key that begins with two slashes is a comment, anywhere. */
#ifndef HARNESSD_CONFIG_CONFIG_FILE_PRIVATE_H
#define HARNESSD_CONFIG_CONFIG_FILE_PRIVATE_H

#include "base/compiler.h"
#include "config/config_key.h"

/* Sets every key that the file has. False when it could not be read at all. */
MUST_CHECK bool config_file_read(struct config_reading *reading, const char *file);

#endif
