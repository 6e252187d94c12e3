/* SPDX-License-Identifier: MIT */
/*
 * hostile ATTACK: a guest that does one thing a network frontend must not do, to the backend of its device/vif/0, and
 * sees that what it gets for it is what it deserves: the packet dropped, or the interface ended with a reason. 0, or
 * 1 with a line. `hostile -l` lists each attack and what its interface leads to. XSA and row numbers name what is tried.
 */
#include <stdio.h>
#include <string.h>

#include <pvring/process.h>

#include "attacks.h"

static int list(void)
{
	for (unsigned i = 0; attacks[i].name; i++)
		printf("%s %s\n", attacks[i].name, attacks[i].outside);
	return 0;
}

static int run(const struct attack *attack)
{
	int rc = pvr_process_attach(NULL, 0);
	enum outcome outcome;

	if (rc) {
		fprintf(stderr, "hostile: attach: %s\n", strerror(-rc));
		return 1;
	}
	outcome = rig_open(&attack->options);
	rc = attack->run(attack, outcome);
	if (!rc && *rig.error)
		printf("%s: %s\n", attack->name, rig.error);
	rig_close();
	pvr_process_detach();
	return rc != 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return list();
	for (unsigned i = 0; argc == 2 && attacks[i].name; i++)
		if (!strcmp(argv[1], attacks[i].name))
			return run(&attacks[i]);
	fprintf(stderr, "usage: hostile ATTACK | -l\n");
	return 64;
}
