/* SPDX-License-Identifier: MIT */
/*
 * The tree. A node belongs to every parent and transaction that holds a reference; one that has a
 * single reference, as have all above it, is changed in place, any other is copied first.
 */
#include "store.h"

int64_t xs_node_bytes(const struct xs_node *node)
{
	/* With its place in the parent. */
	return (int64_t)(sizeof(*node) + strlen(node->name) + 1 + node->len +
			 node->nperms * sizeof(*node->perms) + sizeof(void *));
}

/* Xen's header of a node in its database is 24 bytes, an entry of the permissions 8. */
size_t xs_node_size(uint32_t nperms, size_t len, size_t childlen)
{
	return 24 + 8 * (size_t)nperms + len + childlen;
}

struct xs_node *xs_node_new(struct pvr_xs *xs, const char *name, size_t len,
	const struct xs_perm *perms, uint32_t nperms)
{
	struct xs_node *node = xs_alloc(sizeof(*node) + len + 1);

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	memcpy(node->name, name, len);
	node->name[len] = '\0';
	node->perms = xs_alloc(nperms * sizeof(*perms));
	if (!node->perms) {
		free(node);
		return NULL;
	}
	memcpy(node->perms, perms, nperms * sizeof(*perms));
	node->nperms = nperms;
	node->refs = 1;
	node->gen = node->cgen = ++xs->gen;
	xs->total += (size_t)xs_node_bytes(node);
	return node;
}

void xs_node_put(struct pvr_xs *xs, struct xs_node *node)
{
	struct xs_node *dead = NULL;

	if (node && --node->refs == 0)
		dead = node;
	while (dead) {
		node = dead;
		dead = node->next_dead;
		for (uint32_t i = 0; i < node->nchild; i++) {
			struct xs_node *child = node->child[i];

			if (--child->refs == 0) {
				child->next_dead = dead;
				dead = child;
			}
		}
		xs->total -= (size_t)xs_node_bytes(node);
		free(node->child);
		free(node->perms);
		free(node->value);
		free(node);
	}
}

/* The place of a name among the children, or where it would be put. */
static uint32_t place(const struct xs_node *node, const char *name, size_t len, bool *found)
{
	uint32_t low = 0, high = node->nchild;

	*found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const char *at = node->child[mid]->name;
		int order = strncmp(at, name, len);

		if (order == 0 && at[len] != '\0')
			order = 1;
		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The component that starts at *path, which is moved behind it. */
static size_t component(const char **path, const char *end, const char **name)
{
	const char *stop;

	while (*path < end && **path == '/')
		++*path;
	*name = *path;
	stop = memchr(*path, '/', (size_t)(end - *path));
	*path = stop ? stop : end;
	return (size_t)(*path - *name);
}

struct xs_node *xs_node_nearest(struct xs_node *root, const char *path, const char **rest)
{
	const char *end = path + strlen(path), *name;
	bool found;

	for (;;) {
		size_t len = component(&path, end, &name);
		uint32_t at;

		*rest = name;
		if (!len)
			return root;
		at = place(root, name, len, &found);
		if (!found)
			return root;
		root = root->child[at];
	}
}

struct xs_node *xs_node_find(struct xs_node *root, const char *path, size_t len)
{
	const char *end = path + len, *name;
	bool found;

	while ((len = component(&path, end, &name))) {
		uint32_t at = place(root, name, len, &found);

		if (!found)
			return NULL;
		root = root->child[at];
	}
	return root;
}

/* A copy of a node that others hold too, in place of the reference at *slot. */
static struct xs_node *unshare(struct pvr_xs *xs, struct xs_node **slot)
{
	struct xs_node *old = *slot, *node;

	if (old->refs == 1)
		return old;
	node = xs_node_new(xs, old->name, strlen(old->name), old->perms, old->nperms);
	if (!node)
		return NULL;
	if (old->nchild) {
		node->child = xs_alloc(old->nchild * sizeof(struct xs_node *));
		if (!node->child)
			goto fail;
		node->cap = old->nchild;
	}
	if (old->len && xs_node_set_value(xs, node, old->value, old->len))
		goto fail;
	for (; node->nchild < old->nchild; node->nchild++) {
		node->child[node->nchild] = old->child[node->nchild];
		node->child[node->nchild]->refs++;
	}
	node->childlen = old->childlen;
	node->writer = old->writer;
	node->below = old->below;
	node->gen = old->gen;
	node->cgen = old->cgen;
	old->refs--;
	return *slot = node;
fail:
	xs_node_put(xs, node);
	return NULL;
}

struct xs_node *xs_node_own(
	struct pvr_xs *xs, struct xs_node **root, const char *path, size_t len, uint16_t writer)
{
	const char *end = path + len, *name;
	struct xs_node *node = unshare(xs, root);
	bool found;

	while (node && (len = component(&path, end, &name))) {
		node->below = writer;
		node = unshare(xs, &node->child[place(node, name, len, &found)]);
	}
	if (node)
		node->writer = node->below = writer;
	return node;
}

/* Fails or takes over the caller's reference. */
int xs_node_insert(struct pvr_xs *xs, struct xs_node *parent, struct xs_node *child)
{
	size_t len = strlen(child->name);
	bool found;
	uint32_t at = place(parent, child->name, len, &found);

	if (parent->nchild == parent->cap) {
		uint32_t cap = parent->cap ? parent->cap * 2 : 4;
		struct xs_node **more = xs_realloc(parent->child, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		parent->child = more;
		parent->cap = cap;
	}
	memmove(parent->child + at + 1, parent->child + at,
		(parent->nchild - at) * sizeof(*parent->child));
	parent->child[at] = child;
	parent->nchild++;
	parent->childlen += (uint32_t)len + 1;
	parent->cgen = ++xs->gen;
	return 0;
}

void xs_node_remove(struct pvr_xs *xs, struct xs_node *parent, const char *name)
{
	size_t len = strlen(name);
	bool found;
	uint32_t at = place(parent, name, len, &found);
	struct xs_node **less;

	parent->nchild--;
	parent->childlen -= (uint32_t)len + 1;
	parent->cgen = ++xs->gen;
	xs_node_put(xs, parent->child[at]);
	memmove(parent->child + at, parent->child + at + 1,
		(parent->nchild - at) * sizeof(*parent->child));
	/* Empty places are nobody's memory, so few are kept. */
	if (parent->cap > 8 && parent->nchild < parent->cap / 4) {
		less = realloc(parent->child, parent->cap / 2 * sizeof(*less));
		if (less) {
			parent->child = less;
			parent->cap /= 2;
		}
	}
}

int xs_node_set_value(struct pvr_xs *xs, struct xs_node *node, const void *value, uint32_t len)
{
	char *copy = NULL;

	if (len) {
		copy = xs_alloc(len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, value, len);
	}
	free(node->value);
	xs->total += len;
	xs->total -= node->len;
	node->value = copy;
	node->len = len;
	node->gen = ++xs->gen;
	return 0;
}

int xs_node_set_perms(
	struct pvr_xs *xs, struct xs_node *node, const struct xs_perm *perms, uint32_t nperms)
{
	struct xs_perm *copy = xs_alloc(nperms * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, perms, nperms * sizeof(*copy));
	free(node->perms);
	xs->total += nperms * sizeof(*copy);
	xs->total -= node->nperms * sizeof(*copy);
	node->perms = copy;
	node->nperms = nperms;
	node->gen = ++xs->gen;
	return 0;
}

void xs_walk_start(struct xs_walk *walk, struct xs_node *node, const char *path, size_t len)
{
	walk->len = len > 1 ? len : 0;
	memcpy(walk->path, path, walk->len);
	walk->path[walk->len] = '\0';
	walk->stack[0].node = node;
	walk->stack[0].next = 0;
	walk->stack[0].len = walk->len;
	walk->depth = 0;
}

struct xs_node *xs_walk_next(struct xs_walk *walk)
{
	/* Depth counts the frames that were returned; the one on top of them comes next. */
	struct xs_node *node, *child;

	if (walk->depth == 0) {
		walk->depth = 1;
		return walk->stack[0].node;
	}
	for (;;) {
		uint32_t top = walk->depth - 1, next = walk->stack[top].next;

		node = walk->stack[top].node;
		if (next < node->nchild)
			break;
		if (top == 0)
			return NULL;
		walk->depth--;
	}
	child = node->child[walk->stack[walk->depth - 1].next++];
	walk->len = walk->stack[walk->depth - 1].len;
	walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, child->name, strlen(child->name) + 1);
	walk->len += strlen(child->name);
	walk->stack[walk->depth].node = child;
	walk->stack[walk->depth].next = 0;
	walk->stack[walk->depth].len = walk->len;
	walk->depth++;
	return child;
}
