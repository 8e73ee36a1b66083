// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/clock.h"

#include <stdio.h>
#include <time.h>

#define YEAR_10000_MS INT64_C(253402300800000)

int64_t clock_unix_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* n decimal digits of value, most significant first. */
static void put_digits(char *at, int n, int value)
{
	while (n-- > 0) {
		at[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* The date of a day counted from 1970, in the Gregorian calendar of years that begin in March,
 * whose leap day is the last: 400 of them are 146,097 days, and five months from March on are
 * always 153. */
static void put_date(char *out, int64_t day)
{
	int64_t from_march_of_0 = day + 719468, era = from_march_of_0 / 146097;
	int of_era = (int)(from_march_of_0 % 146097);
	int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	int month = (5 * of_year + 2) / 153;

	put_digits(out, 4, (int)(era * 400) + year + (month >= 10));
	put_digits(out + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(out + 8, 2, of_year - (153 * month + 2) / 5 + 1);
	out[4] = out[7] = '-';
}

void clock_format(int64_t unix_ms, char out[CLOCK_TEXT_SIZE])
{
	int64_t s = unix_ms / 1000;
	int of_day = (int)(s % 86400);

	/* By hand rather than by gmtime() and strftime(): this runs for every event, and six
	 * times per row of a 10,000 row list. */
	put_date(out, s / 86400);
	out[10] = 'T';
	put_digits(out + 11, 2, of_day / 3600);
	out[13] = out[16] = ':';
	put_digits(out + 14, 2, of_day / 60 % 60);
	put_digits(out + 17, 2, of_day % 60);
	out[19] = '.';
	put_digits(out + 20, 3, (int)(unix_ms % 1000));
	out[23] = 'Z';
	out[24] = '\0';
}

/* Reads exactly n digits at *pos. */
static bool get_digits(const char *text, size_t len, size_t *pos, size_t n, int *value)
{
	*value = 0;
	if (*pos + n > len)
		return false;
	for (size_t end = *pos + n; *pos < end; (*pos)++) {
		if (text[*pos] < '0' || text[*pos] > '9')
			return false;
		*value = *value * 10 + (text[*pos] - '0');
	}
	return true;
}

static bool get_char(const char *text, size_t len, size_t *pos, const char *any_of)
{
	if (*pos >= len)
		return false;
	for (; *any_of != '\0'; any_of++)
		if (text[*pos] == *any_of) {
			(*pos)++;
			return true;
		}
	return false;
}

static bool get_fraction(const char *text, size_t len, size_t *pos, int *ms)
{
	int digits = 0;

	*ms = 0;
	if (!get_char(text, len, pos, "."))
		return true;
	for (; *pos < len && text[*pos] >= '0' && text[*pos] <= '9'; (*pos)++, digits++)
		if (digits < 3)
			*ms = *ms * 10 + (text[*pos] - '0');
	for (int d = digits; d < 3; d++)
		*ms *= 10;
	return digits >= 1 && digits <= 9;
}

static bool get_offset(const char *text, size_t len, size_t *pos, int *minutes)
{
	int sign, h, m;

	*minutes = 0;
	if (get_char(text, len, pos, "Zz"))
		return true;
	sign = get_char(text, len, pos, "+") ? 1 : -1;
	if (sign < 0 && !get_char(text, len, pos, "-"))
		return false;
	if (!get_digits(text, len, pos, 2, &h) || !get_char(text, len, pos, ":") ||
	    !get_digits(text, len, pos, 2, &m) || h > 23 || m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool clock_parse(const char *text, size_t len, int64_t *unix_ms)
{
	struct tm tm = {0}, back;
	int year, mon, ms, offset;
	size_t pos = 0;
	time_t s;

	if (!get_digits(text, len, &pos, 4, &year) || !get_char(text, len, &pos, "-") ||
	    !get_digits(text, len, &pos, 2, &mon) || !get_char(text, len, &pos, "-") ||
	    !get_digits(text, len, &pos, 2, &tm.tm_mday) || !get_char(text, len, &pos, "Tt ") ||
	    !get_digits(text, len, &pos, 2, &tm.tm_hour) || !get_char(text, len, &pos, ":") ||
	    !get_digits(text, len, &pos, 2, &tm.tm_min) || !get_char(text, len, &pos, ":") ||
	    !get_digits(text, len, &pos, 2, &tm.tm_sec) ||
	    !get_fraction(text, len, &pos, &ms) || !get_offset(text, len, &pos, &offset) ||
	    pos != len || year < 1970)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = mon - 1;
	back = tm;
	s = timegm(&back);
	/* timegm() carries 31 February over into March; a time that moved was not one. */
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min)
		return false;
	*unix_ms = ((int64_t)s - (int64_t)offset * 60) * 1000 + ms;
	/* An offset may lead out of the years that clock_format() can write. */
	return *unix_ms >= 0 && *unix_ms < YEAR_10000_MS;
}
