/* The key `schedules`: a list of {"file": NAME, "every": "15m" | SECONDS, "at": "02:30", "node": NODE,
 * "overlap": BOOLEAN}. */
#ifndef HARNESSD_CONFIG_CONFIG_SCHEDULES_H
#define HARNESSD_CONFIG_CONFIG_SCHEDULES_H

#include "config/config_key.h"

/* As the readers of other types do. */
void config_schedules_read(struct config_reading *reading, const struct config_key *key, const json_t *value,
                           const char *where);

/* What is read back the same, to be given back. */
json_t *config_schedules_value(const struct config_schedules *schedules);

/* A time of the day as it is written. */
#define CONFIG_SCHEDULE_AT_BYTES 16
const char *config_schedule_at(const struct config_schedule *schedule, char text[CONFIG_SCHEDULE_AT_BYTES]);

void config_schedules_clear(struct config_schedules *schedules);

#endif
