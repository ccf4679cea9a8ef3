#include "store_holder_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define NAME "holder"
#define BYTES_MOST 512

void store_holder_write(int folder, const char *holder)
{
    char *text = memory_format("%s, process %ld\n", holder, (long)getpid());
    (void)unlinkat(folder, NAME, 0);
    int descriptor = openat(folder, NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        ssize_t written = write(descriptor, text, strlen(text));
        (void)written;
        close(descriptor);
    }
    free(text);
}

char *store_holder_read(int folder)
{
    char text[BYTES_MOST];
    int descriptor = openat(folder, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size = descriptor < 0 ? -1 : read(descriptor, text, sizeof(text) - 1);
    if (descriptor >= 0)
        close(descriptor);
    if (size <= 0)
        return NULL;
    text[size] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return memory_string(text);
}
