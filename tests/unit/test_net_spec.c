/* SPDX-License-Identifier: MIT */
/* What a user writes to name a network interface: everything that is taken, and one line for what is not. */
#include "suite.h"

#include "../../tools/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pvring/netback.h>

static struct net_spec spec;
static char why[256];

static int parse(const char *text)
{
	*why = 0;
	return net_spec_parse(text, &spec, why, sizeof(why));
}

static void kinds_of_outside(void)
{
	CU_ASSERT_EQUAL(parse("tap"), 0);
	CU_ASSERT(spec.type == NET_TAP && !*spec.target && !spec.mtu && !spec.queues);
	CU_ASSERT_EQUAL(parse("tap=vm0,bridge=br0"), 0);
	CU_ASSERT_STRING_EQUAL(spec.target, "vm0");
	CU_ASSERT_STRING_EQUAL(spec.bridge, "br0");
	CU_ASSERT(!parse("user") && spec.type == NET_USER);
	CU_ASSERT(!parse("passt=/run/p.sock") && spec.type == NET_PASST);
	CU_ASSERT_STRING_EQUAL(spec.target, "/run/p.sock");
	CU_ASSERT(!parse("null") && spec.type == NET_NULL && !spec.bytes);
	CU_ASSERT(!parse("null=1500") && spec.bytes == 1500);
	CU_ASSERT(!parse("loop") && spec.type == NET_LOOP);
}

static void options_of_an_interface(void)
{
	static const uint8_t mac[6] = {2, 0, 0xab, 0, 0, 1};
	char text[18];

	CU_ASSERT_EQUAL(parse("loop,mac=02:00:aB:00:00:01,queues=4,mtu=9000"), 0);
	CU_ASSERT_EQUAL(memcmp(spec.mac, mac, 6), 0);
	CU_ASSERT_STRING_EQUAL(net_mac_text(spec.mac, text), "02:00:ab:00:00:01");
	CU_ASSERT(spec.queues == 4 && spec.mtu == 9000);
	net_mac_choose(&spec);
	CU_ASSERT_EQUAL(memcmp(spec.mac, mac, 6), 0);

	CU_ASSERT_EQUAL(parse("loop"), 0);
	net_mac_choose(&spec);
	CU_ASSERT_EQUAL(memcmp(spec.mac, "\x00\x16\x3e", 3), 0);
	CU_ASSERT(spec.mac[3] < 0x80);
}

static void rates_are_those_of_xl(void)
{
	static const struct {
		const char *text;
		uint64_t bytes, us;
	} good[] = {
		{"10Mb/s", 62500, 50000},
		{"250KB/s", 12500, 50000},
		{"1MB/s@20ms", 20000, 20000},
		{"1Gb/s@1s", 125000000, 1000000},
		{"8000b/s@500us", 0, 0},
		{"1MB/s@500us", 500, 500},
	};
	char text[64];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "loop,rate=%s", good[i].text);
		CU_ASSERT_EQUAL(parse(text), good[i].us ? 0 : -EINVAL);
		if (good[i].us)
			CU_ASSERT(spec.rate_bytes == good[i].bytes && spec.rate_us == good[i].us);
	}
}

static void addresses_of_both_kinds(void)
{
	struct in6_addr v6;

	CU_ASSERT_EQUAL(parse("tap,ip=10.0.0.2/24,gw=10.0.0.1,ip=fd00::2/64"), 0);
	CU_ASSERT(spec.address[0].family == AF_INET && spec.address[0].prefix == 24);
	CU_ASSERT_EQUAL(spec.address[0].host.v4.s_addr, inet_addr("10.0.0.2"));
	CU_ASSERT(spec.address[0].has_gateway);
	CU_ASSERT_EQUAL(spec.address[0].gateway.v4.s_addr, inet_addr("10.0.0.1"));
	inet_pton(AF_INET6, "fd00::2", &v6);
	CU_ASSERT(spec.address[1].family == AF_INET6 && spec.address[1].prefix == 64);
	CU_ASSERT_EQUAL(memcmp(&spec.address[1].host, &v6, sizeof(v6)), 0);
	CU_ASSERT(!spec.address[1].has_gateway);
}

static void features_left_out(void)
{
	CU_ASSERT_EQUAL(parse("loop,without=sg+ctrl+static"), 0);
	CU_ASSERT_EQUAL(spec.back_without, PVR_NETBACK_NO_SG | PVR_NETBACK_NO_CONTROL);
	CU_ASSERT_EQUAL(spec.front_without, PVR_NETFRONT_NO_SG | PVR_NETFRONT_NO_STATIC);
	CU_ASSERT_EQUAL(parse("loop,without=gso+csum+split+mcast"), 0);
	CU_ASSERT_EQUAL(spec.back_without, PVR_NETBACK_NO_GSO | PVR_NETBACK_NO_CSUM |
						   PVR_NETBACK_NO_SPLIT | PVR_NETBACK_NO_MULTICAST);
	CU_ASSERT_EQUAL(spec.front_without,
		PVR_NETFRONT_NO_GSO | PVR_NETFRONT_NO_CSUM | PVR_NETFRONT_NO_SPLIT);
}

static void refused_with_one_line(void)
{
	static const char *const bad[] = {"", ",", "bridge=br0", "tap=", "tap=a/b",
		"tap=sixteen.letters1", "tap=a b", "tap=..", "tap=%d", "user=1", "loop=1", "passt",
		"passt=relative", "null=13", "null=65536", "null=x", "loop,mac=02:00:00:00:00",
		"loop,mac=02:00:00:00:00:01:02", "loop,mac=01:00:5e:00:00:01",
		"loop,mac=02:00:00:00:00:0g", "loop,bridge=br0", "tap,bridge=", "loop,queues=0",
		"loop,queues=17", "loop,queues=-1", "loop,mtu=67", "loop,mtu=65522", "loop,rate=10",
		"loop,rate=b/s", "loop,rate=0b/s", "loop,rate=1Tb/s", "loop,rate=1Mb/s@",
		"loop,rate=1Mb/s@0ms", "loop,rate=1Mb/s@1h", "loop,rate=1Mb/sx",
		"loop,rate=99999999999999999999b/s", "loop,ip=10.0.0.2", "loop,ip=10.0.0.2/33",
		"loop,ip=10.0.0/24", "loop,ip=fd00::1/129", "loop,ip=1.2.3.4/8,ip=1.2.3.5/8",
		"loop,gw=10.0.0.1", "loop,gw=x", "loop,without=tso", "loop,nonsense",
		"loop,nonsense=1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(parse(bad[i]), -EINVAL);
		CU_ASSERT(*why && !strchr(why, '\n'));
	}
}

PVR_SUITE(net_spec, CASE(kinds_of_outside), CASE(options_of_an_interface),
	CASE(rates_are_those_of_xl), CASE(addresses_of_both_kinds), CASE(features_left_out),
	CASE(refused_with_one_line))
