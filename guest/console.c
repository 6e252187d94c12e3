/* SPDX-License-Identifier: MIT */
/*
 * Lines of text: to Xen's console once there are hypercalls, to the text port that Xen and QEMU both have until then, and
 * where that console takes none.
 */
#include <stdarg.h>
#include <string.h>

#include "guest/kernel.h"
#include "guest/xen.h"
#include "ports/x86/x86.h"
#include "rings/text.h"

#define PORT_TEXT 0xe9
#define LINE_MAX  240u

static char reason[LINE_MAX] = "no reason given";

static void add_hex(struct pvr_text *text, uint64_t value)
{
	char digits[2 * sizeof(value) + 1];
	unsigned at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value & 15];
	} while (value >>= 4);
	pvr_text_add(text, digits + at);
}

/* What stands behind one percent sign; how many characters of the format it took. */
static unsigned add_one(struct pvr_text *text, const char *format, va_list *args)
{
	unsigned longs = 0;
	uint64_t number;

	if (*format == 's') {
		pvr_text_add(text, va_arg(*args, const char *));
		return 1;
	}
	while (format[longs] == 'l')
		longs++;
	number = longs == 0   ? va_arg(*args, unsigned)
		 : longs == 1 ? va_arg(*args, unsigned long)
			      : va_arg(*args, unsigned long long);
	if (format[longs] == 'x')
		add_hex(text, number);
	else
		pvr_text_add_u64(text, number);
	return longs + 1;
}

static size_t line_format(char line[LINE_MAX], const char *format, va_list *args)
{
	struct pvr_text text;
	char letter[2] = "";

	pvr_text_init(&text, line, LINE_MAX - 1);
	while (*format) {
		if (*format == '%') {
			format += 1 + add_one(&text, format + 1, args);
			continue;
		}
		letter[0] = *format++;
		pvr_text_add(&text, letter);
	}
	return pvr_text_length(line);
}

void say(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, format);
	size_t length = line_format(line, format, &args);

	va_end(args);
	line[length++] = '\n';
	if (machine.xen_version && !xen_console_write(line, length))
		return;
	for (size_t i = 0; i < length; i++)
		cpu_out8(PORT_TEXT, (uint8_t)line[i]);
}

int failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_format(reason, format, &args);
	va_end(args);
	return -1;
}

const char *failed_reason(void)
{
	return reason;
}
