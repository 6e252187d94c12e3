/* SPDX-License-Identifier: MIT */
/* A guest's configuration file: what is taken, what it becomes, and one line with its number for what is not. */
#include "suite.h"

#include "../../tools/xl_config.h"
#include "../../tools/xl_syntax.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static char text[8192], why[600];
static struct xl_config config;

static int parse(const char *file)
{
	snprintf(text, sizeof(text), "%s", file);
	*why = 0;
	return xl_config_parse(text, &config, why, sizeof(why));
}

#define NEEDED "name='a'\nkernel='k'\n"

static void refused(const char *file, const char *line)
{
	CU_ASSERT_EQUAL(parse(file), -EINVAL);
	CU_ASSERT(strstr(why, line) != NULL);
	CU_ASSERT(!strchr(why, '\n'));
	if (!strstr(why, line))
		fprintf(stderr, "'%s', not '%s'\n", why, line);
}

static void a_whole_file(void)
{
	CU_ASSERT_EQUAL(parse("# a guest of xl\n"
			      "type = \"pvh\"\n"
			      "name = 'web-1' ; memory=512\r\n"
			      "\tkernel = \"/boot/vmlinuz\" # here\n"
			      "ramdisk='/boot/initrd'\n"
			      "root = '/dev/xvda1 ro'\n"
			      "extra = \"console=hvc0 a=\\\"b\\\" c='d'\"\n"
			      "vcpus=4\n"
			      "disk = [\n"
			      "  'format=raw,vdev=xvda,access=rw,target=/srv/a.img', # one\n"
			      "\n"
			      "  \"phy:/dev/vg/b,xvdb,r\",\n"
			      "]\n"
			      "vif=['mac=00:16:3e:00:00:01,bridge=br0', '']\n"
			      "on_poweroff = 'destroy'\n"
			      "on_reboot='destroy'"),
		0);
	CU_ASSERT_STRING_EQUAL(config.name, "web-1");
	CU_ASSERT_STRING_EQUAL(config.kernel, "/boot/vmlinuz");
	CU_ASSERT_STRING_EQUAL(config.ramdisk, "/boot/initrd");
	CU_ASSERT_STRING_EQUAL(config.cmdline, "root=/dev/xvda1 ro console=hvc0 a=\"b\" c='d'");
	CU_ASSERT(config.memory == 512ull << 20 && config.vcpus == 4 && config.reboots_end);
	CU_ASSERT(config.disks_count == 2 && !config.disks[0].readonly && config.disks[1].readonly);
	CU_ASSERT_STRING_EQUAL(config.disks[0].path, "/srv/a.img");
	CU_ASSERT_STRING_EQUAL(config.disks[1].vdev, "xvdb");
	CU_ASSERT(config.nets_count == 2 && config.nets[0].mac[5] == 1);
	CU_ASSERT_STRING_EQUAL(config.nets[0].bridge, "br0");
	CU_ASSERT_STRING_EQUAL(config.ignored, "");
}

static void what_is_not_said(void)
{
	CU_ASSERT_EQUAL(parse(NEEDED), 0);
	CU_ASSERT(config.memory == 256ull << 20 && config.vcpus == 1 && !config.reboots_end);
	CU_ASSERT(!config.ramdisk && !*config.cmdline && !config.disks_count && !config.nets_count);
	CU_ASSERT_EQUAL(parse(NEEDED "cmdline='quiet'\ndisk=[]\nvcpus='2'"), 0);
	CU_ASSERT_STRING_EQUAL(config.cmdline, "quiet");
	CU_ASSERT_EQUAL(config.vcpus, 2);
}

static void unknown_keys_are_named(void)
{
	CU_ASSERT_EQUAL(parse(NEEDED "maxmem=512\nserial=['pty','null', 3]\nvcpus=2\n"), 0);
	CU_ASSERT_STRING_EQUAL(config.ignored, "maxmem, serial");
	CU_ASSERT_EQUAL(config.vcpus, 2);
}

static void wrong_syntax(void)
{
	refused(NEEDED "memory 512\n", "line 3: no '=' after 'memory'");
	refused(NEEDED "\n\nmemory=\n", "line 5: a value is missing");
	refused(NEEDED "memory=", "line 3: a value is missing");
	refused(NEEDED "memory=many", "line 3: a value is a number, a text in quotes");
	refused(NEEDED "extra='a\nb'", "line 3: the text that begins with ' does not end");
	refused(NEEDED "extra=\"a\\", "line 3: the text that begins with \" does not end");
	refused(NEEDED "disk=['mem=1M'\n'mem=2M']", "line 4: values in a list have a comma");
	refused(NEEDED "disk=['mem=1M',\n\n", "line 3: the list that begins with [ does not end");
	refused(NEEDED "disk=[['mem=1M']]", "line 3: a list within a list");
	refused(NEEDED "vcpus=2 memory=512", "line 3: 'm' behind the value of 'vcpus'");
	refused("= 3", "line 1: '=' where a key was to be");
	refused(NEEDED "a_key_that_is_longer_than_any_there_is=1", "line 3: a key has at most");
}

static void wrong_meaning(void)
{
	refused("kernel='k'", "no name");
	refused("name='a'", "no kernel");
	refused("name='a'\nkernel=''", "no kernel");
	refused(NEEDED "memory=0", "line 3: memory: '0' is no number from 1");
	refused(NEEDED "memory='512M'", "line 3: memory: '512M' is no number");
	refused(NEEDED "vcpus=33", "line 3: vcpus: '33' is no number from 1 to 32");
	refused(NEEDED "vcpus=2\nvcpus=3", "line 4: 'vcpus' is set twice, first in line 3");
	refused(NEEDED "disk='mem=1M'", "line 3: 'disk' is a list");
	refused(NEEDED "vcpus=[1]", "line 3: 'vcpus' is one value");
	refused(NEEDED "type='hvm'", "line 3: type: only \"pvh\" or \"pv\"");
	refused(NEEDED "on_crash='preserve'", "line 3: on_crash: only \"destroy\"");
	refused(NEEDED "on_reboot='preserve'", "line 3: on_reboot: \"restart\" or \"destroy\"");
	refused(NEEDED "extra='a'\ncmdline='b'", "cmdline is all of the command line");
	refused(NEEDED "disk=['mem=1M','null=3']", "line 3: disk: 'null=3': '3' is no disk size");
	refused(NEEDED "vif=['user']", "line 3: vif: 'user': user, ip and gw are for 'pvring run'");
}

/* ---- entries of disk and vif ---- */

static struct disk_spec disk;

static int disk_is(const char *entry, const char *path, const char *vdev, int readonly)
{
	*why = 0;
	return !xl_disk_parse(entry, &disk, why, sizeof(why)) && disk.type == DISK_FILE &&
	       !strcmp(disk.path, path) && !strcmp(disk.vdev, vdev) && disk.readonly == readonly;
}

static int disk_refused(const char *entry, const char *line)
{
	*why = 0;
	return xl_disk_parse(entry, &disk, why, sizeof(why)) == -EINVAL && strstr(why, line);
}

static void disks_as_xl_spells_them(void)
{
	CU_ASSERT(disk_is("format=raw,vdev=xvda,access=rw,target=/a b.img", "/a b.img", "xvda", 0));
	CU_ASSERT(disk_is("vdev=xvdc,access=ro,target=/a", "/a", "xvdc", 1));
	CU_ASSERT(disk_is("target=/a", "/a", "", 0));
	CU_ASSERT(disk_is("/a.img,raw,xvda,rw", "/a.img", "xvda", 0));
	CU_ASSERT(disk_is("/a.img,raw,xvda,r", "/a.img", "xvda", 1));
	CU_ASSERT(disk_is("/a.img,,xvdb", "/a.img", "xvdb", 0));
	CU_ASSERT(disk_is("phy:/dev/vg/a,xvda,w", "/dev/vg/a", "xvda", 0));
	CU_ASSERT(disk_is("file:/a,xvdb,r", "/a", "xvdb", 1));
	CU_ASSERT(disk_is("/a,vdev=xvdd,readonly=on", "/a", "xvdd", 1));
	CU_ASSERT(disk_is("file=/a,vdev=xvdd", "/a", "xvdd", 0));
	CU_ASSERT(!xl_disk_parse("mem=64M,vdev=xvdb", &disk, why, sizeof(why)));
	CU_ASSERT(disk.type == DISK_MEM && disk.bytes == 64 << 20);
}

static void disks_that_are_refused(void)
{
	CU_ASSERT(disk_refused(
		"format=qcow2,vdev=xvda,target=/a", "format 'qcow2' is not read here"));
	CU_ASSERT(disk_refused("/a.img,qcow2,xvda,w", "format 'qcow2'"));
	CU_ASSERT(disk_refused("phy:/a,hda,w", "'hda' is no device name"));
	CU_ASSERT(disk_refused("phy:/a,xvda,x", "access is r, ro, w or rw, not 'x'"));
	CU_ASSERT(disk_refused("phy:/a,xvda,w,more", "'more' is more than target"));
	CU_ASSERT(disk_refused("phy:,xvda,w", "a disk needs a target"));
	CU_ASSERT(disk_refused("devtype=cdrom,target=/a", "unknown key 'devtype'"));
	CU_ASSERT(disk_refused("raw,target=/a", "'raw' is no key=value"));
	CU_ASSERT(disk_refused("vdev=xvda,target=/a,b", "a comma in the path"));
	CU_ASSERT(disk_refused("", "empty"));
}

static void interfaces_as_xl_spells_them(void)
{
	struct net_spec net;

	CU_ASSERT(!xl_vif_parse("", &net, why, sizeof(why)) && net.type == NET_TAP && !*net.target);
	CU_ASSERT(!xl_vif_parse(
		"bridge=br0,vifname=web,mtu=9000,rate=10Mb/s", &net, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(net.target, "web");
	CU_ASSERT_STRING_EQUAL(net.bridge, "br0");
	CU_ASSERT(net.type == NET_TAP && net.mtu == 9000 && net.rate_bytes > 0);
	CU_ASSERT(!xl_vif_parse("vifname=web", &net, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(net.target, "web");
	CU_ASSERT(!xl_vif_parse("null=1500", &net, why, sizeof(why)) && net.type == NET_NULL);
	CU_ASSERT(
		!xl_vif_parse("tap=t0,bridge=br1", &net, why, sizeof(why)) && net.type == NET_TAP);
	CU_ASSERT_EQUAL(xl_vif_parse("bridge=br0,model=e1000", &net, why, sizeof(why)), -EINVAL);
	CU_ASSERT(strstr(why, "'model'") != NULL);
	CU_ASSERT_EQUAL(xl_vif_parse("mac=1:2", &net, why, sizeof(why)), -EINVAL);
}

/* Numbers are terminated in place: what follows them must survive. */
static void numbers_in_lists(void)
{
	char list[] = "a=[1,22,333]b";
	struct xl_reader reader = {.at = list, .line = 1};
	struct xl_setting s;

	CU_ASSERT_EQUAL(xl_next(&reader, &s, why, sizeof(why)), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "line 1: 'b' behind the value of 'a'");
	CU_ASSERT(s.is_list && s.count == 3);
	CU_ASSERT_STRING_EQUAL(s.value[0], "1");
	CU_ASSERT_STRING_EQUAL(s.value[1], "22");
	CU_ASSERT_STRING_EQUAL(s.value[2], "333");
	CU_ASSERT_STRING_EQUAL(s.key, "a");
}

PVR_SUITE(xl_config, CASE(a_whole_file), CASE(what_is_not_said), CASE(unknown_keys_are_named),
	CASE(wrong_syntax), CASE(wrong_meaning), CASE(disks_as_xl_spells_them),
	CASE(disks_that_are_refused), CASE(interfaces_as_xl_spells_them), CASE(numbers_in_lists))
