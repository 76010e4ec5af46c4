/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one UART line and its speakers (README.md, "Byte rules"): guest bytes with RS and US escaped, records, monitor
 * text. Input: the escape key, the rest to the guest.
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include "lib/print.h"

struct cpu;

#define KEY_ESCAPE 0x1d /* ^] */

/*
 * The guest's console: RS goes out as US 'e', US as US 'f', other bytes as they are. One byte, under the line's lock;
 * false: the output ring is full for the guest, and the byte is lost as by a full FIFO. Or text: returns how many bytes
 * fitted.
 */
bool console_guest(u8 byte);
u64 console_guest_text(const u8 *text, u64 n);
/* True while the guest's last line is not ended. */
truth console_midline(void);
/* Gives this CPU the line until console_release() with the value returned: its output meanwhile stays together. */
bool console_hold(void);
void console_release(bool held);
/* How many bytes of EL2's own fit without waiting for the UART. Only the holder of the log's lock may add any. */
u32 console_room(void);
/* Sends as much of the ring as the UART takes now; or all of it, waiting for the UART. */
void console_pump(void);
void console_flush(void);
/* Sends EL2's own bytes as they are: records and monitor text. An open guest line is ended by CR LF first. */
void console_raw(const char *s, size_t n);
extern u64 console_guest_bytes; /* bytes of the guest so far, before escaping */

/* UART interrupt: sends from the ring, gives input to the guest's ring, or acts on the escape key (sets WORK_MONITOR). */
void console_input(struct cpu *c);
/* The guest's ring has room again: input that was held back goes on. Under the line's lock. */
void console_input_room(struct cpu *c);
/* ALARM_ESCAPE and its kind rang: a lone ^] is given to the guest after a second. */
void console_tick(struct cpu *c);
/* WORK_DEAF: notes that the guest did not read, and drops its held input so that later input is seen. */
void console_deaf(struct cpu *c);
/*
 * One byte of input for the monitor: first bytes that the guest was sent and has no receiver for, then the UART's. The
 * CPU sleeps until a byte comes; the UART's interrupt must be routed to it. Returns -1 if none came within `ms`
 * milliseconds (0: does not wait; -1: waits for ever), or CONSOLE_BREAK.
 */
int console_getc(int ms);
extern bool console_polls; /* polls instead of sleeping: after a panic interrupts may be in any state */
#define CONSOLE_BREAK 0x400

/* `traps -w`: sets WORK_WATCH every second until a key, which opens the monitor. */
void console_watch(void);
extern bool console_escape; /* ^] is the escape key */

#endif
