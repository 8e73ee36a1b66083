// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/prom.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define US_PER_S 1e6

static const char *const type_names[] = {
	[PROM_COUNTER] = "counter", [PROM_GAUGE] = "gauge", [PROM_HISTOGRAM] = "histogram"};

void prom_begin(struct prom *p, struct buf *out)
{
	*p = (struct prom){.out = out};
}

/* Help has no quotes around it, so only label values escape them. */
static void add_escaped(struct buf *out, const char *text, bool quoted)
{
	for (; *text != '\0'; text++)
		if (*text == '\\')
			buf_add_str(out, "\\\\");
		else if (*text == '\n')
			buf_add_str(out, "\\n");
		else if (*text == '"' && quoted)
			buf_add_str(out, "\\\"");
		else
			buf_add_char(out, *text);
}

void prom_family(struct prom *p, const char *name, enum prom_type type, const char *help)
{
	p->name = name;
	buf_printf(p->out, "# HELP %s ", name);
	add_escaped(p->out, help, false);
	buf_printf(p->out, "\n# TYPE %s %s\n", name, type_names[type]);
}

static void add_number(struct buf *out, double value)
{
	if (isnan(value))
		buf_add_str(out, "NaN");
	else if (isinf(value))
		buf_add_str(out, value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 1e15)
		buf_printf(out, "%" PRId64, (int64_t)value);
	else
		buf_printf(out, "%.15g", value);
}

static void add_label(struct buf *out, char before, const char *name, const char *value)
{
	buf_add_char(out, before);
	buf_add_str(out, name);
	buf_add_str(out, "=\"");
	add_escaped(out, value, true);
	buf_add_char(out, '"');
}

/* The sample's name and labels; `bound`, if it is not NULL, is the label "le". */
static void add_head(struct prom *p, const char *suffix, const struct prom_label *labels,
		     const char *bound)
{
	char before = '{';

	buf_add_str(p->out, p->name);
	buf_add_str(p->out, suffix);
	for (; labels != NULL && labels->name != NULL; labels++) {
		add_label(p->out, before, labels->name, labels->value);
		before = ',';
	}
	if (bound != NULL) {
		add_label(p->out, before, "le", bound);
		before = ',';
	}
	if (before == ',')
		buf_add_char(p->out, '}');
	buf_add_char(p->out, ' ');
}

void prom_value(struct prom *p, const struct prom_label *labels, double value)
{
	add_head(p, "", labels, NULL);
	add_number(p->out, value);
	buf_add_char(p->out, '\n');
}

void prom_count(struct prom *p, const struct prom_label *labels, uint64_t value)
{
	add_head(p, "", labels, NULL);
	buf_printf(p->out, "%" PRIu64 "\n", value);
}

void prom_seconds(struct prom *p, const struct prom_label *labels, int64_t us)
{
	prom_value(p, labels, (double)us / US_PER_S);
}

static void add_bucket(struct prom *p, const struct prom_label *labels, const char *bound,
		       uint64_t count)
{
	add_head(p, "_bucket", labels, bound);
	buf_printf(p->out, "%" PRIu64 "\n", count);
}

void prom_bucket(struct prom *p, const struct prom_label *labels, double bound, uint64_t count)
{
	char text[32];

	snprintf(text, sizeof(text), "%.15g", bound);
	add_bucket(p, labels, text, count);
}

void prom_histogram_end(struct prom *p, const struct prom_label *labels, double sum,
			uint64_t count)
{
	add_bucket(p, labels, "+Inf", count);
	add_head(p, "_sum", labels, NULL);
	add_number(p->out, sum);
	buf_add_char(p->out, '\n');
	add_head(p, "_count", labels, NULL);
	buf_printf(p->out, "%" PRIu64 "\n", count);
}

void prom_latency(struct prom *p, const struct prom_label *labels, const struct latency *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
		sum += atomic_load_explicit(&l->counts[i], memory_order_relaxed);
		prom_bucket(p, labels, (double)latency_bounds_us[i] / US_PER_S, sum);
	}
	sum += atomic_load_explicit(&l->counts[LATENCY_BOUNDS], memory_order_relaxed);
	prom_histogram_end(
		p, labels,
		(double)atomic_load_explicit(&l->sum_us, memory_order_relaxed) / US_PER_S, sum);
}

void prom_gauge(struct prom *p, const char *name, const char *help, double value)
{
	prom_family(p, name, PROM_GAUGE, help);
	prom_value(p, NO_LABELS, value);
}

void prom_counter(struct prom *p, const char *name, const char *help, uint64_t value)
{
	prom_family(p, name, PROM_COUNTER, help);
	prom_count(p, NO_LABELS, value);
}

bool prom_is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (*text == '\0' || strchr(letters, *text) == NULL)
		return false;
	for (; *text != '\0'; text++)
		if (strchr(letters, *text) == NULL && (*text < '0' || *text > '9'))
			return false;
	return true;
}
