#include "text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool text_file_read(const char *path, struct buffer *text)
{
    char piece[4096];
    size_t size;
    FILE *file = fopen(path, "r");
    while (file && (size = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_append(text, piece, size);
    bool is_read = file && !ferror(file);
    if (!is_read)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    buffer_append(text, "", 1);
    return is_read;
}

bool text_file_save(const char *path, const struct buffer *text)
{
    FILE *file = fopen(path, "w");
    bool is_written = file && fwrite(buffer_bytes(text), 1, text->size, file) == text->size;
    is_written = file && fclose(file) == 0 && is_written;
    if (!is_written)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return is_written;
}
