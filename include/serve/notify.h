/* What the service manager is told (sd_notify(3), sd_watchdog_enabled(3)): that the daemon is ready, reads
 * its configuration again, stops; what it is at; and that its loop is alive, twice as often as it wants to
 * know. Without a service manager nothing happens. One that does not read is
 * never waited for: what it has to know is told when it reads again. */
#ifndef HARNESSD_SERVE_NOTIFY_H
#define HARNESSD_SERVE_NOTIFY_H

#include "base/compiler.h"
#include "base/loop.h"

struct notify;

struct notify *notify_new(struct loop *loop);
void notify_free(struct notify *notify);

void notify_ready(struct notify *notify);

/* Before and after a reload; nothing as long as the daemon is not ready. */
void notify_reloading(struct notify *notify);
void notify_reloaded(struct notify *notify);

/* It will have stopped in `within_ms`. */
void notify_stopping(struct notify *notify, uint64_t within_ms);

/* One line for people; told when it is another one than before, or was not told yet. */
void notify_status(struct notify *notify, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
