/* SPDX-License-Identifier: MIT */
/*
 * What each half of a device does next, as a function of both states. Pure: no I/O, no memory of
 * what was before. What the states mean: Xen's public io/xenbus.h; what Linux's halves do with them
 * was the guide where the header leaves it open.
 */
#include <pvring/xenbus.h>

/* The eight states as the phases that make a difference. */
enum phase {
	GONE,    /* no node, or not a state */
	FRESH,   /* Initialising; for a front also InitWait, which it does not use */
	READY,   /* InitWait of a back */
	OFFERED, /* Initialised */
	UP,      /* Connected, Reconfiguring, Reconfigured */
	CLOSING,
	CLOSED,
};

static enum phase phase_of(enum xenbus_state state)
{
	switch (state) {
	case XenbusStateInitialising:
		return FRESH;
	case XenbusStateInitWait:
		return READY;
	case XenbusStateInitialised:
		return OFFERED;
	case XenbusStateConnected:
	case XenbusStateReconfiguring:
	case XenbusStateReconfigured:
		return UP;
	case XenbusStateClosing:
		return CLOSING;
	case XenbusStateClosed:
		return CLOSED;
	default:
		return GONE;
	}
}

static enum pvr_xenbus_action front_fresh(enum phase back)
{
	switch (back) {
	case READY:
		return PVR_XENBUS_CONNECT;
	case UP:
		/* It still serves an earlier owner of this device: make it let go first. */
		return PVR_XENBUS_CLOSE;
	default:
		return PVR_XENBUS_NONE;
	}
}

static enum pvr_xenbus_action front_offered(enum phase back)
{
	switch (back) {
	case FRESH:
		return PVR_XENBUS_RESTART;
	case UP:
		return PVR_XENBUS_GO;
	case CLOSING:
	case CLOSED:
	case GONE:
		return PVR_XENBUS_CLOSE;
	default:
		return PVR_XENBUS_NONE;
	}
}

static enum pvr_xenbus_action front_up(enum phase back)
{
	switch (back) {
	case UP:
		return PVR_XENBUS_NONE;
	case FRESH:
	case READY:
	case OFFERED:
		return PVR_XENBUS_RESTART;
	default:
		return PVR_XENBUS_CLOSE;
	}
}

enum pvr_xenbus_action pvr_xenbus_front_next(enum xenbus_state self, enum xenbus_state back)
{
	enum phase theirs = phase_of(back);

	switch (phase_of(self)) {
	case FRESH:
	case READY:
		return front_fresh(theirs);
	case OFFERED:
		return front_offered(theirs);
	case UP:
		return front_up(theirs);
	case CLOSING:
		/* A backend that is still up will answer with Closing or Closed. */
		return theirs == UP || theirs == OFFERED ? PVR_XENBUS_NONE : PVR_XENBUS_CLOSE;
	default:
		return PVR_XENBUS_NONE;
	}
}

static enum pvr_xenbus_action back_ready(enum phase front, int online)
{
	switch (front) {
	case OFFERED:
	case UP:
		/* netfront goes from Initialising to Connected at once. */
		return PVR_XENBUS_CONNECT;
	case CLOSING:
	case CLOSED:
		return PVR_XENBUS_CLOSE;
	default:
		return online ? PVR_XENBUS_NONE : PVR_XENBUS_CLOSE;
	}
}

static enum pvr_xenbus_action back_up(enum phase front)
{
	switch (front) {
	case FRESH:
	case READY:
		return PVR_XENBUS_RESTART;
	case OFFERED:
	case UP:
		return PVR_XENBUS_NONE;
	default:
		return PVR_XENBUS_CLOSE;
	}
}

enum pvr_xenbus_action pvr_xenbus_back_next(
	enum xenbus_state self, enum xenbus_state front, int online)
{
	enum phase theirs = phase_of(front);

	switch (phase_of(self)) {
	case FRESH:
		return online ? PVR_XENBUS_PREPARE : PVR_XENBUS_CLOSE;
	case READY:
	case OFFERED:
		return back_ready(theirs, online);
	case UP:
		/*
		 * Taking the device offline starts with Closing in our own state, not with
		 * `online`.
		 */
		return back_up(theirs);
	case CLOSING:
		return theirs == OFFERED || theirs == UP ? PVR_XENBUS_NONE : PVR_XENBUS_CLOSE;
	case CLOSED:
		return online && (theirs == FRESH || theirs == READY) ? PVR_XENBUS_PREPARE
								      : PVR_XENBUS_NONE;
	default:
		return PVR_XENBUS_NONE;
	}
}

const char *pvr_xenbus_state_name(unsigned state)
{
	static const char names[][16] = {"Unknown", "Initialising", "InitWait", "Initialised",
		"Connected", "Closing", "Closed", "Reconfiguring", "Reconfigured"};

	return names[state < sizeof(names) / sizeof(names[0]) ? state : 0];
}
