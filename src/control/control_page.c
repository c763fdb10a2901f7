/* SPDX-License-Identifier: ISC */
#include "control/control_page.h"
#include "control/control_call.h"

void
control_page_begin(struct control_page *p, struct control_call *k,
    const char *name, unsigned max)
{
	*p = (struct control_page){.call = k,
	    .name = name,
	    .max = max,
	    .cursor = (uint32_t)control_arg(k, "cursor")->uint,
	    .more = true};
	api_write_list(&k->result, name);
}

bool
control_page_has_space(const struct control_page *p)
{
	return p->len < p->max;
}

void
control_page_append(
    struct control_page *p, struct api_writer *item, uint32_t number)
{
	p->cursor = number;
	api_append_item(&p->call->result, p->name, item);
	p->len++;
}

void
control_page_end(struct control_page *p)
{
	if (p->more)
		api_write_uint(&p->call->result, "next", p->cursor);
	else
		api_write_null(&p->call->result, "next");
}
