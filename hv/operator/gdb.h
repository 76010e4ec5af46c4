/* SPDX-License-Identifier: Apache-2.0 */
/* gdb's remote protocol over the UART; the monitor does not need it. */
#ifndef HV_GDB_H
#define HV_GDB_H

#include "log/line.h"
#include "operator/monitor_cmd.h"

/* At the prompt: gives gdb the line. */
void gdb_begin(struct monitor *m);
/* The guest has stopped under gdb: answers packets. True: the guest goes on; false: the operator has the prompt again. */
truth gdb_session(struct monitor *m);

#endif
