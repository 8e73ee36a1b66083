// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Without recursion: what is open is a stack of brackets, and what may come next one of five
 * things. */
#include "protocol/jcheck.h"

#include <stdbool.h>
#include <string.h>

enum next {
	VALUE,
	VALUE_OR_END, /* behind "[" */
	KEY,
	KEY_OR_END, /* behind "{" */
	SIGN,       /* behind a value: a comma or an end */
};

struct check {
	const char *text;
	size_t len, at, depth;
	size_t open_len;
	char open[JCHECK_DEPTH_MAX]; /* the brackets that would close what is open */
	enum next next;
	const char *wrong;
};

static bool fail(struct check *c, const char *wrong)
{
	c->wrong = wrong;
	return false;
}

static bool at_end(const struct check *c)
{
	return c->at == c->len;
}

/* '\0' at the end: no part of JSON begins with it. */
static char here(const struct check *c)
{
	if (at_end(c))
		return '\0';
	return c->text[c->at];
}

static void skip_blanks(struct check *c)
{
	while (here(c) == ' ' || here(c) == '\t' || here(c) == '\r' || here(c) == '\n')
		c->at++;
}

static bool skip_digits(struct check *c)
{
	const size_t from = c->at;

	while (here(c) >= '0' && here(c) <= '9')
		c->at++;
	return c->at > from;
}

static bool skip_number(struct check *c)
{
	if (here(c) != '-' && (here(c) < '0' || here(c) > '9'))
		return fail(c, "a value expected");
	c->at += here(c) == '-';
	if (here(c) == '0')
		c->at++;
	else if (!skip_digits(c))
		return fail(c, "a number that is none");
	if (here(c) == '.') {
		c->at++;
		if (!skip_digits(c))
			return fail(c, "a number that is none");
	}
	if (here(c) == 'e' || here(c) == 'E') {
		c->at++;
		c->at += here(c) == '+' || here(c) == '-';
		if (!skip_digits(c))
			return fail(c, "a number that is none");
	}
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool skip_escape(struct check *c)
{
	const char sign = here(c);

	if (sign == '\0' || strchr("\"\\/bfnrtu", sign) == NULL)
		return fail(c, "an escape that is none");
	c->at++;
	if (sign != 'u')
		return true;
	for (int i = 0; i < 4; i++, c->at++)
		if (!is_hex(here(c)))
			return fail(c, "an escape that is none");
	return true;
}

/* Behind the quotation mark that begins it. */
static bool skip_string(struct check *c)
{
	while (!at_end(c)) {
		const unsigned char byte = (unsigned char)c->text[c->at];

		if (byte < 0x20)
			return fail(c, "a control character in a string");
		c->at++;
		if (byte == '"')
			return true;
		if (byte == '\\' && !skip_escape(c))
			return false;
	}
	return fail(c, "a string without an end");
}

static bool skip_word(struct check *c, const char *word)
{
	const size_t len = strlen(word);

	if (c->len - c->at < len || memcmp(c->text + c->at, word, len) != 0)
		return fail(c, "a value that is none");
	c->at += len;
	return true;
}

static bool begin(struct check *c, char close, enum next next)
{
	c->at++;
	c->open[c->open_len++] = close;
	c->next = next;
	return true;
}

static bool end(struct check *c)
{
	c->at++;
	c->open_len--;
	c->next = SIGN;
	return true;
}

static bool value(struct check *c)
{
	if (c->open_len == c->depth)
		return fail(c, "too deep");
	c->next = SIGN;
	switch (here(c)) {
	case '{':
		return begin(c, '}', KEY_OR_END);
	case '[':
		return begin(c, ']', VALUE_OR_END);
	case '"':
		c->at++;
		return skip_string(c);
	case 't':
		return skip_word(c, "true");
	case 'f':
		return skip_word(c, "false");
	case 'n':
		return skip_word(c, "null");
	default:
		return skip_number(c);
	}
}

static bool key(struct check *c)
{
	if (here(c) != '"')
		return fail(c, "a key expected");
	c->at++;
	if (!skip_string(c))
		return false;
	skip_blanks(c);
	if (here(c) != ':')
		return fail(c, "a colon expected");
	c->at++;
	c->next = VALUE;
	return true;
}

/* Only called while something is open. */
static bool sign(struct check *c)
{
	const char close = c->open[c->open_len - 1];

	if (here(c) == close)
		return end(c);
	if (here(c) != ',')
		return fail(c, "a comma or an end expected");
	c->at++;
	c->next = close == '}' ? KEY : VALUE;
	return true;
}

static bool step(struct check *c)
{
	if ((c->next == VALUE_OR_END && here(c) == ']') ||
	    (c->next == KEY_OR_END && here(c) == '}'))
		return end(c);
	switch (c->next) {
	case VALUE:
	case VALUE_OR_END:
		return value(c);
	case KEY:
	case KEY_OR_END:
		return key(c);
	case SIGN:
		break;
	}
	return sign(c);
}

const char *jcheck(const char *text, size_t len, size_t depth, size_t *at)
{
	struct check c = {.text = text, .len = len, .depth = depth};
	bool more = true;

	while (more) {
		skip_blanks(&c);
		if (c.next == SIGN && c.open_len == 0)
			break;
		more = step(&c);
	}
	if (c.wrong == NULL && !at_end(&c))
		c.wrong = "more than one value";
	*at = c.at;
	return c.wrong;
}
